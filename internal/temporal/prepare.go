package temporal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Retention is how long a cluster keeps a closed workflow's history.
const Retention = 7 * 24 * time.Hour

const (
	prepareTimeout = 30 * time.Second
	// preparePoll is short against the two seconds after which a cluster notices a changed namespace.
	preparePoll = 100 * time.Millisecond
)

// Prepare makes sure that namespace exists with Busbar's search attributes, and returns once the cluster accepts queries
// by them. It creates only what is missing, so it may be called by any number of processes at each start, and needs no
// more than the right to list workflows when nothing is missing. Without the rights to create, the error names the
// command that someone with those rights has to run. It waits at most 30 seconds, or until ctx ends.
func Prepare(ctx context.Context, c client.Client, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()

	ticker := time.NewTicker(preparePoll)
	defer ticker.Stop()
	var registered, added bool
	for {
		err := probe(ctx, c, namespace)
		if err == nil {
			return nil
		}
		var noNamespace *serviceerror.NamespaceNotFound
		var badQuery *serviceerror.InvalidArgument
		switch {
		case errors.As(err, &noNamespace):
			if !registered {
				if err := register(ctx, c, namespace); err != nil {
					return err
				}
				registered = true
			}
		case errors.As(err, &badQuery):
			if !added {
				if err := addAttributes(ctx, c, namespace); err != nil {
					return err
				}
				added = true
			}
		case !registered && !added:
			return fmt.Errorf("query Temporal namespace %s: %w", namespace, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("prepare Temporal namespace %s: not usable in time: %w", namespace, err)
		case <-ticker.C:
		}
	}
}

// probe asks for a workflow by all search attributes: it succeeds only where the frontend knows namespace and attributes.
func probe(ctx context.Context, c client.Client, namespace string) error {
	terms := make([]string, 0, len(Attributes()))
	for _, a := range Attributes() {
		terms = append(terms, a.Name+" = 'none'")
	}
	_, err := c.WorkflowService().ListWorkflowExecutions(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Namespace: namespace,
		PageSize:  1,
		Query:     strings.Join(terms, " AND "),
	})
	return err
}

func register(ctx context.Context, c client.Client, namespace string) error {
	_, err := c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace:                        namespace,
		Description:                      "Busbar",
		WorkflowExecutionRetentionPeriod: durationpb.New(Retention),
	})
	var exists *serviceerror.NamespaceAlreadyExists
	if err == nil || errors.As(err, &exists) {
		return nil
	}
	return fmt.Errorf("create Temporal namespace: %w; someone with the right to has to run: "+
		"temporal operator namespace create --namespace %s --retention %s", err, namespace, Retention)
}

func addAttributes(ctx context.Context, c client.Client, namespace string) error {
	present := map[string]enums.IndexedValueType{}
	list, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err == nil {
		present = list.GetCustomAttributes()
	}
	missing := map[string]enums.IndexedValueType{}
	var command strings.Builder
	command.WriteString("temporal operator search-attribute create --namespace " + namespace)
	for _, a := range Attributes() {
		have, ok := present[a.Name]
		if ok && have != a.Type {
			return fmt.Errorf("prepare Temporal namespace %s: search attribute %s is of type %s, not %s",
				namespace, a.Name, have, a.Type)
		}
		if !ok {
			missing[a.Name] = a.Type
			fmt.Fprintf(&command, " --name %s --type %s", a.Name, a.Type)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace:        namespace,
		SearchAttributes: missing,
	})
	var exists *serviceerror.AlreadyExists
	if err == nil || errors.As(err, &exists) {
		return nil
	}
	return fmt.Errorf("create Temporal search attributes: %w; someone with the right to has to run: %s", err, command.String())
}
