package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// Capabilities that a test has in namespaces of its own (capabilities(7)).
const (
	capNetBindService = 10
	capNetAdmin       = 12
	capSysAdmin       = 21
)

// inMountsOfItsOwn runs the test once more where it may mount what it likes, and
// reports whether it is there.
func inMountsOfItsOwn(t *testing.T) bool {
	t.Helper()
	return inNamespaceOfItsOwn(t, "mounts", syscall.CLONE_NEWNS)
}

// inNamespaceOfItsOwn runs the test once more in a namespace of its own, as the
// same user with the rights of that, and reports whether it is there.
func inNamespaceOfItsOwn(t *testing.T, name string, namespace uintptr) bool {
	t.Helper()
	const there = "SHOPWATCH_TEST_NAMESPACE"
	if os.Getenv(there) == name {
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	again := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	again.Env = append(os.Environ(), there+"="+name)
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | namespace,
		UidMappings: sameUsers(os.Getuid()), GidMappings: sameUsers(os.Getgid()), GidMappingsEnableSetgroups: os.Getuid() == 0,
		AmbientCaps: []uintptr{capNetBindService, capNetAdmin, capSysAdmin},
	}
	var out said
	again.Stdout, again.Stderr = &out, &out
	if err := again.Start(); err != nil {
		reason := fmt.Sprintf("no namespace of the test's own: %v", err)
		if os.Getenv("SHOPWATCH_TEST_NO_SKIP") == "1" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	if err := again.Wait(); err != nil || !strings.Contains(out.String(), "--- PASS: "+t.Name()) {
		t.Errorf("with its own %s: %v\n%s", name, err, out.String())
	}
	return false
}

// sameUsers are those whom the namespace knows, by their own numbers: root may
// run servers as others there.
func sameUsers(id int) []syscall.SysProcIDMap {
	if id == 0 {
		return []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1 << 16}}
	}
	return []syscall.SysProcIDMap{{ContainerID: id, HostID: id, Size: 1}}
}
