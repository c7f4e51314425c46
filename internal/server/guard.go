package server

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// guard decides who is let in.
type guard struct {
	opt    *Options
	tokens *watched[[][32]byte]
	tls    *watched[*tls.Config]
}

// UnguardedError says that an address can be reached by everybody.
type UnguardedError struct{ Addr string }

func (e *UnguardedError) Error() string {
	return fmt.Sprintf("server: %s can be reached from other machines, and nothing guards it: give Options.TokenFile, or Cert, Key and ClientCA, or say Insecure", e.Addr)
}

// newGuard reads tokens and certificates, and refuses addresses beyond loopback
// that nothing guards.
func newGuard(opt *Options) (*guard, error) {
	g := &guard{opt: opt}
	var err error
	if opt.TokenFile != "" {
		if g.tokens, err = watch(readTokens, opt.TokenFile); err != nil {
			return nil, err
		}
	}
	switch {
	case (opt.Cert == "") != (opt.Key == ""):
		return nil, errors.New("server: a certificate and its key belong together, and one of them is missing")
	case opt.ClientCA != "" && opt.Cert == "":
		return nil, errors.New("server: clients' certificates are asked for, and the server has none of its own")
	case opt.Cert != "":
		files := []string{opt.Cert, opt.Key}
		if opt.ClientCA != "" {
			files = append(files, opt.ClientCA)
		}
		if g.tls, err = watch(readTLS, files...); err != nil {
			return nil, err
		}
	}
	for _, addr := range []string{opt.HTTP, opt.GRPC} {
		if addr == "" || loopback(addr) || opt.Insecure || g.tokens != nil || opt.ClientCA != "" {
			continue
		}
		return nil, &UnguardedError{addr}
	}
	return g, nil
}

// loopback reports whether only this machine reaches an address.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// watched is what files say; they are looked at again once a second at most, when
// somebody asks. Files that cannot be read leave what was.
type watched[T any] struct {
	read  func(files ...string) (T, error)
	files []string

	mu     sync.Mutex
	value  T
	print  string
	looked time.Time
}

func watch[T any](read func(files ...string) (T, error), files ...string) (*watched[T], error) {
	w := &watched[T]{read: read, files: files, looked: time.Now()}
	var err error
	if w.print, err = prints(files); err != nil {
		return nil, err
	}
	w.value, err = read(files...)
	return w, err
}

func (w *watched[T]) get() T {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.looked) < time.Second {
		return w.value
	}
	w.looked = time.Now()
	if print, err := prints(w.files); err == nil && print != w.print {
		if v, err := w.read(w.files...); err == nil {
			w.value, w.print = v, print
		}
	}
	return w.value
}

// maxTokenFile bounds a file of tokens, in bytes.
const maxTokenFile = 1 << 20

// readTokens reads tokens, one a line; of each only a hash is kept.
func readTokens(files ...string) ([][32]byte, error) {
	b, err := readSmall(files[0], maxTokenFile)
	if err != nil {
		return nil, err
	}
	var all [][32]byte
	for line := range bytes.Lines(b) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			all = append(all, sha256.Sum256(line))
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: has no token; expected one a line", files[0])
	}
	return all, nil
}

func readSmall(file string, most int64) ([]byte, error) {
	st, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > most {
		return nil, fmt.Errorf("%s: is no file of at most %d bytes", file, most)
	}
	return os.ReadFile(file)
}

// readTLS reads certificate, key and, if there is one, the clients' authority.
func readTLS(files ...string) (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(files[0], files[1])
	if err != nil {
		return nil, err
	}
	c := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if len(files) > 2 {
		pem, err := readSmall(files[2], maxTokenFile)
		if err != nil {
			return nil, err
		}
		c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !c.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: has no certificate", files[2])
		}
	}
	return c, nil
}

// tlsConfig returns what a listener needs, nil without a certificate.
func (g *guard) tlsConfig() *tls.Config {
	if g.tls == nil {
		return nil
	}
	c := g.tls.get().Clone()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return g.tls.get(), nil }
	return c
}

// open reports whether nobody needs a token.
func (g *guard) open() bool { return g.tokens == nil }

// admit checks the value of an authorization header.
func (g *guard) admit(header string) *failure {
	if g.open() {
		return nil
	}
	scheme, token, ok := strings.Cut(header, " ")
	if ok && strings.EqualFold(scheme, "bearer") {
		got, found := sha256.Sum256([]byte(strings.TrimSpace(token))), 0
		for _, t := range g.tokens.get() {
			found |= subtle.ConstantTimeCompare(t[:], got[:])
		}
		if found == 1 {
			return nil
		}
	}
	return failf(denied, "a token is needed: authorization: Bearer TOKEN")
}

// rebound reports whether a request to a loopback address names another host: a
// page elsewhere whose name was made to lead here.
func (g *guard) rebound(r *http.Request) bool {
	if !loopback(g.opt.HTTP) {
		return false
	}
	name := r.Host
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	return name != "localhost" && net.ParseIP(name) == nil && name != ""
}
