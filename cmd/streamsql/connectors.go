package main

import (
	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/kafka"
	"github.com/streamsql/streamsql/connectors/postgres"
	"github.com/streamsql/streamsql/sql/engine"
)

// allConnectors are the connectors of this binary: a new one is a line here.
func allConnectors() []connectors.Connector {
	return []connectors.Connector{
		kafka.Connector{},
		postgres.New(),
	}
}

// producer sends dead letters and late rows to the topics that a relation names.
func producer(r connectors.Relation) (engine.RecordProducer, error) {
	p, err := kafka.NewProducer(r)
	if err != nil {
		return nil, err
	}
	return p, nil
}
