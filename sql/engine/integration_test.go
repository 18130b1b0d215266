//go:build integration

package engine

import (
	"testing"

	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
)

// TestMain ends the servers that the tests share.
func TestMain(m *testing.M) { kafkatest.Main(mainFunc(func() int { return pgtest.Main(m) })) }

type mainFunc func() int

func (f mainFunc) Run() int { return f() }
