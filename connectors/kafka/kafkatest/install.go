package kafkatest

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

//go:embed pom.xml
var pom []byte

const kafkaVersion = "4.1.0" // as in pom.xml

// jars returns the directory with Kafka's jars, which it fetches the first time. Several test
// binaries may ask at once: one fetches, the others wait.
func jars() (string, error) {
	if _, err := exec.LookPath("java"); err != nil {
		return "", errors.New("java not found: install Java 17 and Maven (Debian: apt-get install openjdk-17-jre-headless maven)")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	root := filepath.Join(cache, "streamsql")
	dir := filepath.Join(root, "kafka-"+kafkaVersion)
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	complete := filepath.Join(dir, ".complete")
	if _, err := os.Stat(complete); err == nil {
		return dir, nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return "", errors.New("mvn not found, which fetches Kafka: install Maven (Debian: apt-get install maven)")
	}
	file := dir + "-pom.xml"
	if err := os.WriteFile(file, pom, 0o644); err != nil {
		return "", err
	}
	defer os.Remove(file)
	out, err := exec.Command("mvn", "-q", "-B", "-f", file, "dependency:copy-dependencies", "-DoutputDirectory="+dir).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("fetch Kafka %s with Maven: %w: %s", kafkaVersion, err, out)
	}
	return dir, os.WriteFile(complete, nil, 0o644)
}
