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
		t.Skip("emulates other processors, which takes a while")
	}
	for _, c := range []struct{ arch, cpu, level, run string }{
		{"amd64", "Haswell", "avx2", "TestMulLevelsAgree|TestReportLevel"},
		{"amd64", "Nehalem", "go", "TestMul/float32|TestFlush|TestReportLevel"},
		{"arm64", "neoverse-n1", "neon", "Test.*LevelsAgree|TestMul8EveryRowCount|TestSlide|TestExtremes|TestBytes|TestFromSums|TestTimesInts|TestLargest4|TestOperandsAreWhatRoutinesTouch|TestFusedChecksBounds|TestArgumentsStayInBounds|TestReportLevel"},
	} {
		t.Run(c.cpu, func(t *testing.T) {
			name := "qemu-" + map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[c.arch] + "-static"
			qemu, err := exec.LookPath(name)
			if err != nil {
				t.Skipf("no %s here (Debian: qemu-user-static)", name)
			}
			bin := filepath.Join(t.TempDir(), "kernel.test")
			build := exec.Command("go", "test", "-c", "-o", bin, ".")
			build.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+c.arch, "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
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
