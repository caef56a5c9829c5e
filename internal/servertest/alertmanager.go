package servertest

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// AlertmanagerServer is an Alertmanager that tells nobody.
type AlertmanagerServer struct {
	*process
	URL     string // without a slash at its end
	cluster string
}

// Alertmanager starts one that ends with the test, a peer of those that are
// given. It takes about half a second.
func Alertmanager(t testing.TB, peers ...*AlertmanagerServer) *AlertmanagerServer {
	t.Helper()
	daemon := program(t, "prometheus-alertmanager", "prometheus-alertmanager", "alertmanager")
	dir := directory(t, os.Geteuid(), os.Getegid())
	config := write(t, filepath.Join(dir, "alertmanager.yml"), []byte("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"), os.Geteuid(), os.Getegid())
	address := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
	s := &AlertmanagerServer{URL: "http://" + address, cluster: fmt.Sprintf("127.0.0.1:%d", FreePort(t))}
	arguments := []string{
		"--config.file=" + config, "--storage.path=" + dir, "--web.listen-address=" + address,
		"--cluster.listen-address=" + s.cluster, "--cluster.advertise-address=" + s.cluster, "--cluster.gossip-interval=50ms", "--cluster.settle-timeout=1s",
	}
	for _, peer := range peers {
		arguments = append(arguments, "--cluster.peer="+peer.cluster)
	}
	s.process = start(t, exec.Command(daemon, arguments...), syscall.SIGTERM)
	s.await(t, func() error {
		response, err := http.Get(s.URL + "/-/ready")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("answered %s", response.Status)
		}
		return nil
	})
	return s
}
