package workflows

import (
	"cmp"
	"errors"
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
	// Grouped: so are those that the quick way leaves or is not for. Workflows that began under earlier code have an activity for
	// each.
	Grouped bool `json:"grouped,omitempty"`
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
	// Paced: the endpoint has a rate limit, which the delivery waits for by itself.
	Paced bool `json:"paced,omitempty"`
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
	// failing are the endpoints of open deliveries that wait for another attempt, sorted.
	failing []string
	group   workflow.WaitGroup
	err     error
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
	slices.SortStableFunc(deliveries, func(a, b Delivery) int { return cmp.Compare(order(a), order(b)) })
	p.open = len(deliveries)
	p.group = workflow.NewWaitGroup(ctx)
	apart := cut(&deliveries, p.apart)
	for _, d := range apart {
		if !d.Quick && !d.Paced {
			p.failing = append(p.failing, string(d.EndpointID))
		}
	}
	if err := p.showFailing(ctx); err != nil {
		return p.result, err
	}
	for _, d := range apart {
		p.begin(ctx, d)
	}
	slow := cut(&deliveries, func(d Delivery) bool { return !d.Quick })
	p.pages(ctx, "slow first attempts", slow, p.slowFirsts)
	p.pages(ctx, "first attempts", deliveries, p.firsts)
	p.group.Wait(ctx)
	return p.result, p.err
}

// order is that in which deliveries are begun.
func order(d Delivery) int {
	switch {
	case d.Paced:
		return 0
	case d.Quick:
		return 2
	default:
		return 1
	}
}

// apart reports whether a delivery has activities of its own from the start.
func (p *processEvent) apart(d Delivery) bool {
	return !p.in.Together || !d.Quick && (d.Paced || !p.in.Grouped)
}

// cut takes the deliveries at the front off a list that are of a kind.
func cut(list *[]Delivery, kind func(Delivery) bool) []Delivery {
	n := slices.IndexFunc(*list, func(d Delivery) bool { return !kind(d) })
	if n < 0 {
		n = len(*list)
	}
	front := (*list)[:n]
	*list = (*list)[n:]
	return front
}

// pages has deliveries seen to in pages, side by side.
func (p *processEvent) pages(
	ctx workflow.Context, name string, all []Delivery, see func(ctx workflow.Context, page []Delivery) error,
) {
	for page := range slices.Chunk(all, firstsPage) {
		p.side(ctx, name, func(ctx workflow.Context) error { return see(ctx, page) })
	}
}

// side does something beside all else. The first error is that of the workflow.
func (p *processEvent) side(ctx workflow.Context, name string, do func(ctx workflow.Context) error) {
	p.group.Add(1)
	workflow.GoNamed(ctx, name, func(ctx workflow.Context) {
		defer p.group.Done()
		if err := do(ctx); err != nil && p.err == nil {
			p.err = err
		}
	})
}

// begin brings a delivery to its end by activities of its own.
func (p *processEvent) begin(ctx workflow.Context, d Delivery) {
	p.side(ctx, string(d.ID), func(ctx workflow.Context) error { return p.deliver(ctx, d) })
}

// firstsPage is how many first attempts one activity makes.
const firstsPage = 100

// firsts makes first attempts together, and goes on with what they leave.
func (p *processEvent) firsts(ctx workflow.Context, page []Delivery) error {
	options := firstOptions
	options.Summary = summaryOf(page)
	var a *activities.Activities
	outcomes := p.outcomes(ctx, page, workflow.ExecuteLocalActivity(
		workflow.WithLocalActivityOptions(ctx, options), a.Firsts, p.firstsInput(page)))
	if !p.in.Grouped {
		return p.singly(ctx, page, outcomes)
	}
	left, err := p.settle(ctx, page, outcomes, func(o activities.Outcome) bool {
		return o == activities.OutcomeUnderWay || o == activities.OutcomeBusy || o == activities.OutcomeSlow
	})
	if err != nil {
		return err
	}
	return p.slowFirsts(ctx, left)
}

// slowFirsts makes those first attempts together that may take long, and waits for them until none is under way.
func (p *processEvent) slowFirsts(ctx workflow.Context, page []Delivery) error {
	in := activities.SlowFirstsInput{FirstsInput: p.firstsInput(page)}
	for len(page) > 0 {
		ctx := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			StartToCloseTimeout: activities.SlowFirstsTime,
			HeartbeatTimeout:    activities.HeartbeatTimeout,
			RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute},
			Summary:             summaryOf(page),
		})
		var a *activities.Activities
		outcomes := p.outcomes(ctx, page, workflow.ExecuteActivity(ctx, a.SlowFirsts, in))
		left, err := p.settle(ctx, page, outcomes, func(o activities.Outcome) bool { return o == activities.OutcomeUnderWay })
		if err != nil {
			return err
		}
		if in.Begun && len(left) == len(page) {
			// None of them has ended in all the time that an attempt may take.
			return p.goOn(ctx, left, true)
		}
		page, in = left, activities.SlowFirstsInput{FirstsInput: p.firstsInput(left), Begun: true}
	}
	return nil
}

// outcomes gives what became of a page of deliveries by one activity. An error says nothing about their endpoints.
func (p *processEvent) outcomes(ctx workflow.Context, page []Delivery, result workflow.Future) []activities.Outcome {
	var outcomes []activities.Outcome
	if err := result.Get(ctx, &outcomes); err != nil || len(outcomes) != len(page) {
		workflow.GetLogger(ctx).Warn("left first attempts to the regular way", "event_id", p.in.EventID, "error", err)
		outcomes = slices.Repeat([]activities.Outcome{activities.OutcomeBusy}, len(page))
	}
	return outcomes
}

// settle counts what has come to an end, and gives what is to be left. What failed, and the rest, goes on by itself.
func (p *processEvent) settle(
	ctx workflow.Context, page []Delivery, outcomes []activities.Outcome, leave func(activities.Outcome) bool,
) (left []Delivery, _ error) {
	var failed, rest []Delivery
	for i, d := range page {
		d.Quick = false
		switch o := outcomes[i]; {
		case !o.Open():
			p.count(o)
			p.open--
		case leave(o):
			left = append(left, d)
		case o == activities.OutcomeRetry:
			failed = append(failed, d)
		default:
			rest = append(rest, d)
		}
	}
	return left, errors.Join(p.goOn(ctx, failed, true), p.goOn(ctx, rest, false))
}

// singly has an activity for each delivery that the quick way leaves, as workflows have that began under earlier code.
func (p *processEvent) singly(ctx workflow.Context, page []Delivery, outcomes []activities.Outcome) error {
	left, err := p.settle(ctx, page, outcomes, activities.Outcome.Open)
	if err != nil {
		return err
	}
	before := len(p.failing)
	for i, d := range page {
		if outcomes[i].Open() && outcomes[i] != activities.OutcomeBusy {
			p.failing = append(p.failing, string(d.EndpointID))
		}
	}
	if len(p.failing) > before {
		if err := p.showFailing(ctx); err != nil {
			return err
		}
	}
	return p.goOn(ctx, left, false)
}

// goOn has deliveries come to their end by activities of their own, and shows the endpoints of those that failed.
func (p *processEvent) goOn(ctx workflow.Context, waiting []Delivery, failed bool) error {
	if failed && len(waiting) > 0 {
		for _, d := range waiting {
			p.failing = append(p.failing, string(d.EndpointID))
		}
		if err := p.showFailing(ctx); err != nil {
			return err
		}
	}
	for _, d := range waiting {
		p.begin(ctx, d)
	}
	return nil
}

func (p *processEvent) firstsInput(page []Delivery) activities.FirstsInput {
	in := activities.FirstsInput{Environment: p.in.Environment, EventID: p.in.EventID}
	for _, d := range page {
		in.Targets = append(in.Targets, activities.FirstTarget{DeliveryID: d.ID, EndpointID: d.EndpointID})
	}
	return in
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

func summaryOf(page []Delivery) string {
	if len(page) == 1 {
		return summary(page[0])
	}
	return fmt.Sprintf("POST to %d endpoints", len(page))
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
	case activities.OutcomeRetry, activities.OutcomeBusy, activities.OutcomePaced, activities.OutcomeSlow, activities.OutcomeUnderWay:
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
