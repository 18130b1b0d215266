package planner

import "github.com/streamsql/streamsql/exec"

// Graph makes the execution graph.
func (p *Plan) Graph(rt *Runtime) (*exec.Graph, error) {
	g := &graph{rt: rt}
	return g.exec, nil
}

// graph is a graph being made.
type graph struct {
	rt   *Runtime
	exec *exec.Graph
}
