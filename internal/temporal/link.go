package temporal

import (
	"net/url"
	"strings"
)

// WorkflowURL links to a workflow's history in the Temporal UI at uiBase (the newest run when runID is empty). It is
// empty when uiBase is: there is no UI to link to.
func WorkflowURL(uiBase, namespace, workflowID, runID string) string {
	if uiBase == "" {
		return ""
	}
	link := workflowsURL(uiBase, namespace) + "/" + url.PathEscape(workflowID)
	if runID == "" {
		return link
	}
	return link + "/" + url.PathEscape(runID) + "/history"
}

// QueryURL links to the list of workflows that match query in the Temporal UI at uiBase; empty when uiBase is.
func QueryURL(uiBase, namespace, query string) string {
	if uiBase == "" {
		return ""
	}
	return workflowsURL(uiBase, namespace) + "?" + url.Values{"query": {query}}.Encode()
}

// FailingQuery finds the running workflows with a failing delivery to an endpoint.
func FailingQuery(endpointID string) string {
	return AttributeFailingEndpoints + " = " + quote(endpointID) + " AND ExecutionStatus = 'Running'"
}

func workflowsURL(uiBase, namespace string) string {
	return strings.TrimRight(uiBase, "/") + "/namespaces/" + url.PathEscape(namespace) + "/workflows"
}

// quote makes a string of Temporal's list filter, which follows SQL and takes backslash escapes.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
