package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// process is a server under measurement.
type process struct {
	command *exec.Cmd
	address string
	started time.Time
	client  http.Client
}

// start runs a binary on a free port of loopback and waits until it answers.
func start(binary string, args func(address string) []string) (*process, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &process{address: listener.Addr().String(), started: time.Now()}
	listener.Close()
	p.command = exec.Command(binary, args(p.address)...)
	var said bytes.Buffer
	p.command.Stderr = &said
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if response, err := p.client.Get("http://" + p.address + "/-/healthy"); err == nil {
			response.Body.Close()
			return p, nil
		}
	}
	p.stop()
	return nil, fmt.Errorf("%s does not answer: %s", binary, said.String())
}

func (p *process) stop() {
	_ = p.command.Process.Signal(os.Interrupt)
	_ = p.command.Wait()
}

// cpu is the time that the process has spent, user and system.
func (p *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	// Field 2 is the name in brackets; 14 and 15 are the times in ticks of 10 ms (proc(5)).
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0, errors.New("/proc/…/stat has another form")
	}
	var ticks int
	for _, field := range fields[11:13] {
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// memory is a field of /proc/…/status, in KiB: VmHWM, RssAnon, RssFile.
func (p *process) memory(field string) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}

// scrape is an answer of /metrics: what came over the wire, and its series by name.
type scrape struct {
	bytes  int
	series map[string]float64
}

// get asks a path as Prometheus does, compressed.
func (p *process) get(path string) ([]byte, error) {
	request, err := http.NewRequest(http.MethodGet, "http://"+p.address+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept-Encoding", "gzip") // set by hand: the transport leaves it compressed
	request.Header.Set("Accept", "text/plain;version=0.0.4")
	response, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s", path, response.Status)
	}
	return body, err
}

func (p *process) scrape() (scrape, error) {
	body, err := p.get("/metrics")
	if err != nil {
		return scrape{}, err
	}
	s := scrape{bytes: len(body), series: map[string]float64{}}
	plain, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return scrape{}, err
	}
	lines := bufio.NewScanner(plain)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			s.series[line[:i]], _ = strconv.ParseFloat(line[i+1:], 64)
		}
	}
	return s, lines.Err()
}
