package kafka

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/streamsql/streamsql/sql"
)

// kafkaError is the error of a response's code, nil for 0.
func kafkaError(code int16) error { return kerr.ErrorForCode(code) }

func isUnknownTopic(err error) bool {
	return errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID)
}

// isFinal tells whether waiting cannot help: the cluster is there and says no.
func isFinal(err error) bool {
	var own *sql.Error
	if errors.As(err, &own) {
		return own.Code != sql.CodeConnectionFailure && own.Code != sql.CodeUndefinedTable
	}
	var broker *kerr.Error
	if !errors.As(err, &broker) {
		return false // the network
	}
	switch broker {
	case kerr.InconsistentTopicID, kerr.UnknownTopicID, kerr.OffsetNotAvailable, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch:
		return false
	}
	return !broker.Retriable
}

// dataCorrupted is PostgreSQL's SQLSTATE for it.
const dataCorrupted = "XX001"
