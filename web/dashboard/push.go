package dashboard

import (
	"net/http"
	"strconv"
	"strings"

	"busbar"
	"busbar/web/api"
	"busbar/web/dashboard/view"
)

func pushRoutes() []Route {
	return []Route{
		post("/{env}/devices/{id}/push", busbar.RoleOperator, push),
		post("/{env}/actions/{id}/cancel", busbar.RoleOperator, cancelAction),
	}
}

// push asks whether it is meant, and sends the command when it is.
func push(q *request) error {
	d, err := q.device()
	if err != nil {
		return err
	}
	form := q.form()
	body, err := pushBody(form, &d)
	if err == nil && form.Get("sure") != "yes" {
		return q.render(http.StatusOK, view.ConfirmPush(q.frame("devices", "Send a command"), view.PushPage{
			Device: d, Form: form, Command: form.Get("command"), Parameters: parametersOf(form, &d),
		}))
	}
	var pushed api.PushedAction
	if err == nil {
		pushed, err = ask[api.PushedAction](q, http.MethodPost, "/v1/"+d.DeviceType.Segment()+"/{id}", args{params: byID(q.id()), body: body, once: form.Once})
	}
	if err != nil {
		if !q.refused(err, &form) {
			return err
		}
		return q.showDevice(http.StatusUnprocessableEntity, form)
	}
	return q.done(q.at("/actions/%s", string(pushed.ID)), "The command is on its way.")
}

// parametersOf are the quantities that a form names for its command, as they were typed.
func parametersOf(form view.Form, d *api.Device) map[string]string {
	given := map[string]string{}
	for name := range d.Commands[form.Get("command")].Parameters {
		if text := strings.TrimSpace(form.Get("parameter-" + name)); text != "" {
			given[name] = text
		}
	}
	return given
}

func pushBody(form view.Form, d *api.Device) (map[string]any, error) {
	command := form.Get("command")
	action := map[string]any{"command": command}
	parameters := map[string]any{}
	for name, text := range parametersOf(form, d) {
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, busbar.Invalid(name, "format", "must be a number")
		}
		parameters[name] = map[string]any{"value": value, "unit": d.Commands[command].Parameters[name].Unit}
	}
	if len(parameters) > 0 {
		action["parameters"] = parameters
	}
	body := map[string]any{"action": action}
	for _, name := range []string{"onConflict", "holdFor"} {
		if v := form.Get(name); v != "" {
			body[name] = v
		}
	}
	return body, nil
}

func cancelAction(q *request) error {
	path := q.at("/actions/%s", q.id())
	_, err := ask[api.Action](q, http.MethodPost, "/v1/actions/{id}/cancel", args{params: byID(q.id())})
	if busbar.CodeOf(err) == busbar.CodeActionNotCancellable {
		err = busbar.Errorf(busbar.CodeConflict, "the device has this command already, or it has ended")
	}
	if err := q.conflict(err, path); err != nil {
		return stop(err)
	}
	return q.done(path, "The command was taken back.")
}
