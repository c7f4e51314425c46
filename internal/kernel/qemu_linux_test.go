package kernel

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestEmulated runs tests of this package on processors this machine is not,
// under user-mode emulation: the right level is chosen, and its bits are those
// of the definition.
func TestEmulated(t *testing.T) {
	if testing.Short() || runtime.GOARCH != "amd64" {
		t.Skip("emulates amd64 processors, which takes a while")
	}
	qemu, err := exec.LookPath("qemu-x86_64-static")
	if err != nil {
		t.Skip("no qemu-x86_64-static here (Debian: qemu-user-static)")
	}
	bin := filepath.Join(t.TempDir(), "kernel.test")
	if out, err := exec.Command("go", "test", "-c", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, c := range []struct{ cpu, level, run string }{
		{"Haswell", "avx2", "TestMulLevelsAgree|TestGatesManyRows|TestReportLevel"},
		{"Nehalem", "go", "TestMul/float32|TestFlush|TestReportLevel"},
	} {
		t.Run(c.cpu, func(t *testing.T) {
			cmd := exec.Command(qemu, "-cpu", c.cpu, bin, "-test.short", "-test.v", "-test.count=1", "-test.run", "^("+c.run+")$")
			cmd.Env = append(os.Environ(), "UNROLL_KERNEL=")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, tailOf(string(out)))
			}
			if want := "level " + c.level + "\n"; !strings.Contains(string(out), want) {
				t.Errorf("not the level %s:\n%s", c.level, tailOf(string(out)))
			}
			if c.level != "go" && !strings.Contains(string(out), "/"+c.level) {
				t.Errorf("no test ran at level %s", c.level)
			}
		})
	}
}

func tailOf(s string) string { return s[max(0, len(s)-4000):] }

// TestReportLevel logs the level for TestEmulated.
func TestReportLevel(t *testing.T) {
	t.Logf("level %s", Level())
	if os.Getenv("UNROLL_KERNEL") == "" && Level() != Levels()[len(Levels())-1] {
		t.Errorf("level %s of %v is not the best", Level(), Levels())
	}
}
