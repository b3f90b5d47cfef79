package driver

// What the tests of parsing ask for.
var GatewayAnswer = gatewayAnswer
