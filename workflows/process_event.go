package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"busbar"
	"busbar/activities"
	attributes "busbar/internal/temporal"
)

// ProcessEventInput names an event and the deliveries that were decided with it.
type ProcessEventInput struct {
	Environment busbar.Environment `json:"environment"`
	EventID     busbar.EventID     `json:"eventId"`
	Deliveries  []Delivery         `json:"deliveries,omitempty"`
	// More: there are too many deliveries to travel here, so they are read in pages.
	More bool `json:"more,omitempty"`
	// Together: the first attempts are made by one activity. Workflows that began under earlier code make them one by one.
	Together bool `json:"together,omitempty"`
}

// MaxInlineDeliveries is how many deliveries travel in the input.
const MaxInlineDeliveries = 100

// Delivery is what the workflow is told of a delivery.
type Delivery struct {
	ID         busbar.DeliveryID `json:"id"`
	EndpointID busbar.EndpointID `json:"endpointId"`
	// Host is for people.
	Host string `json:"host,omitempty"`
	// Quick: the endpoint answered well lately, so that the first attempt is a local activity of this task.
	Quick bool `json:"quick,omitempty"`
}

// ProcessEventResult counts what became of the deliveries.
type ProcessEventResult struct {
	Delivered int `json:"delivered"`
	Failed    int `json:"failed,omitempty"`
	Parked    int `json:"parked,omitempty"`
	Cancelled int `json:"cancelled,omitempty"`
}

// ProcessEvent carries out what was decided of an event: it delivers it to each endpoint, all of them side by side,
// and ends when the last delivery has come to an end.
func ProcessEvent(ctx workflow.Context, in ProcessEventInput) (ProcessEventResult, error) {
	p := processEvent{in: in}
	return p.run(ctx)
}

type processEvent struct {
	in     ProcessEventInput
	result ProcessEventResult
	// open counts the deliveries that have not come to an end.
	open int
	// failing are the endpoints of open deliveries that left the quick way, sorted.
	failing []string
}

// refsPage is how many deliveries are read at once when they do not travel in the input.
const refsPage = 200

// readAllTime is how long a database may be away before the reconciler has to start the deliveries one by one.
const readAllTime = 24 * time.Hour

func (p *processEvent) run(ctx workflow.Context) (ProcessEventResult, error) {
	deliveries := p.in.Deliveries
	if p.in.More {
		var err error
		if deliveries, err = p.readAll(ctx); err != nil {
			return p.result, err
		}
	}
	// The commands of the quick ones leave with the end of the task, so the others are scheduled before them.
	slices.SortStableFunc(deliveries, func(a, b Delivery) int {
		switch {
		case a.Quick == b.Quick:
			return 0
		case b.Quick:
			return -1
		default:
			return 1
		}
	})
	group := workflow.NewWaitGroup(ctx)
	p.open = len(deliveries)
	for _, d := range deliveries {
		if !d.Quick {
			p.failing = append(p.failing, string(d.EndpointID))
		}
	}
	if err := p.showFailing(ctx); err != nil {
		return p.result, err
	}
	var firstErr error
	begin := func(d Delivery) {
		group.Add(1)
		workflow.GoNamed(ctx, string(d.ID), func(ctx workflow.Context) {
			defer group.Done()
			if err := p.deliver(ctx, d); err != nil && firstErr == nil {
				firstErr = err
			}
		})
	}
	together := deliveries
	for len(together) > 0 && (!p.in.Together || !together[0].Quick) {
		begin(together[0])
		together = together[1:]
	}
	for part := range slices.Chunk(together, firstsPage) {
		group.Add(1)
		workflow.GoNamed(ctx, "first attempts", func(ctx workflow.Context) {
			defer group.Done()
			left, err := p.firsts(ctx, part)
			if err != nil && firstErr == nil {
				firstErr = err
			}
			for _, d := range left {
				begin(d)
			}
		})
	}
	group.Wait(ctx)
	return p.result, firstErr
}

// firstsPage is how many first attempts one activity makes.
const firstsPage = 100

// firsts makes first attempts together, and gives those deliveries that have not come to an end by it. Those that left the
// quick way for their endpoints' sake are shown.
func (p *processEvent) firsts(ctx workflow.Context, page []Delivery) ([]Delivery, error) {
	in := activities.FirstsInput{Environment: p.in.Environment, EventID: p.in.EventID}
	for _, d := range page {
		in.Targets = append(in.Targets, activities.FirstTarget{DeliveryID: d.ID, EndpointID: d.EndpointID})
	}
	options := firstOptions
	options.Summary = fmt.Sprintf("POST to %d endpoints", len(page))
	if len(page) == 1 {
		options.Summary = summary(page[0])
	}
	var a *activities.Activities
	var outcomes []activities.Outcome
	err := workflow.ExecuteLocalActivity(workflow.WithLocalActivityOptions(ctx, options), a.Firsts, in).Get(ctx, &outcomes)
	if err != nil || len(outcomes) != len(page) {
		workflow.GetLogger(ctx).Warn("left first attempts to the regular way", "event_id", p.in.EventID, "error", err)
		outcomes = slices.Repeat([]activities.Outcome{activities.OutcomeBusy}, len(page))
	}
	before := len(p.failing)
	var left []Delivery
	for i, d := range page {
		if outcomes[i].Open() {
			d.Quick = false
			left = append(left, d)
		}
		if outcomes[i].Open() && outcomes[i] != activities.OutcomeBusy {
			p.failing = append(p.failing, string(d.EndpointID))
		}
		p.count(outcomes[i])
	}
	p.open -= len(page) - len(left)
	if len(p.failing) == before {
		return left, nil
	}
	return left, p.showFailing(ctx)
}

// readAll reads the deliveries in pages.
func (p *processEvent) readAll(ctx workflow.Context) ([]Delivery, error) {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		// Without it, the time of one try would bound them all, and a database that is away would end the workflow.
		ScheduleToCloseTimeout: readAllTime,
		RetryPolicy:            &temporal.RetryPolicy{InitialInterval: time.Second, MaximumInterval: time.Minute},
	})
	var a *activities.Activities
	var all []Delivery
	in := activities.RefsInput{Environment: p.in.Environment, EventID: p.in.EventID, Limit: refsPage}
	for {
		var page []activities.Target
		if err := workflow.ExecuteLocalActivity(ctx, a.Refs, in).Get(ctx, &page); err != nil {
			return nil, fmt.Errorf("read deliveries: %w", err)
		}
		for _, t := range page {
			all = append(all, Delivery{ID: t.DeliveryID, EndpointID: t.EndpointID, Quick: true})
		}
		if len(page) < refsPage {
			return all, nil
		}
		in.After = page[len(page)-1].DeliveryID
	}
}

// deliver brings one delivery to its end.
func (p *processEvent) deliver(ctx workflow.Context, d Delivery) error {
	outcome := activities.OutcomeSlow
	if d.Quick {
		outcome = p.first(ctx, d)
	}
	if outcome.Open() {
		if d.Quick && outcome != activities.OutcomeBusy {
			p.failing = append(p.failing, string(d.EndpointID))
			if err := p.showFailing(ctx); err != nil {
				return err
			}
		}
		var err error
		if outcome, err = deliver(ctx, p.in.Environment, d); err != nil {
			return err
		}
	}
	p.count(outcome)
	p.open--
	return p.recovered(ctx, d)
}

// first makes the first attempt in this very task. An error says nothing about the endpoint: Deliver takes over.
func (p *processEvent) first(ctx workflow.Context, d Delivery) activities.Outcome {
	options := firstOptions
	options.Summary = summary(d)
	ctx = workflow.WithLocalActivityOptions(ctx, options)
	var a *activities.Activities
	var outcome activities.Outcome
	t := activities.Target{Environment: p.in.Environment, DeliveryID: d.ID, EndpointID: d.EndpointID}
	if err := workflow.ExecuteLocalActivity(ctx, a.First, t).Get(ctx, &outcome); err != nil {
		workflow.GetLogger(ctx).Warn("left a first attempt to the regular way", "delivery_id", d.ID, "error", err)
		return activities.OutcomeBusy
	}
	return outcome
}

var firstOptions = workflow.LocalActivityOptions{
	StartToCloseTimeout: busbar.MaxDeliveryTimeout + activities.ClaimMargin,
	RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
}

// deliver runs Deliver until the delivery has come to an end, however long that takes.
func deliver(ctx workflow.Context, env busbar.Environment, d Delivery) (activities.Outcome, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ActivityID:          string(d.ID),
		StartToCloseTimeout: busbar.MaxDeliveryTimeout + activities.ClaimMargin,
		HeartbeatTimeout:    activities.HeartbeatTimeout,
		// The waits of the schedule come with the errors; these are for when the database is away.
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
		Summary:     summary(d),
	})
	var a *activities.Activities
	var outcome activities.Outcome
	t := activities.Target{Environment: env, DeliveryID: d.ID, EndpointID: d.EndpointID}
	if err := workflow.ExecuteActivity(ctx, a.Deliver, t).Get(ctx, &outcome); err != nil {
		return "", fmt.Errorf("deliver %s: %w", d.ID, err)
	}
	return outcome, nil
}

func summary(d Delivery) string {
	if d.Host == "" {
		return "POST to " + string(d.EndpointID)
	}
	return fmt.Sprintf("POST to %s (%s)", d.Host, d.EndpointID)
}

func (p *processEvent) count(o activities.Outcome) {
	switch o {
	case activities.OutcomeDelivered:
		p.result.Delivered++
	case activities.OutcomeFailed:
		p.result.Failed++
	case activities.OutcomeParked:
		p.result.Parked++
	case activities.OutcomeCancelled:
		p.result.Cancelled++
	case activities.OutcomeRetry, activities.OutcomeBusy, activities.OutcomeSlow, activities.OutcomeUnderWay:
	}
}

// showFailing puts the failing endpoints into the workflow's search attributes, where people look for them.
func (p *processEvent) showFailing(ctx workflow.Context) error {
	if len(p.failing) == 0 {
		return nil
	}
	slices.Sort(p.failing)
	p.failing = slices.Compact(p.failing)
	return p.upsert(ctx)
}

// recovered takes an endpoint out again, unless the workflow ends anyway.
func (p *processEvent) recovered(ctx workflow.Context, d Delivery) error {
	i, found := slices.BinarySearch(p.failing, string(d.EndpointID))
	if !found {
		return nil
	}
	p.failing = slices.Delete(p.failing, i, i+1)
	if p.open == 0 {
		return nil
	}
	return p.upsert(ctx)
}

func (p *processEvent) upsert(ctx workflow.Context) error {
	update := failingEndpoints.ValueUnset()
	if shown := p.failing[:min(len(p.failing), attributes.MaxFailingEndpoints)]; len(shown) > 0 {
		update = failingEndpoints.ValueSet(shown)
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, update); err != nil {
		return fmt.Errorf("show failing endpoints: %w", err)
	}
	return nil
}

var failingEndpoints = attributes.NewKeys().FailingEndpoints
