"""Spans, trace propagation and logger names; OpenTelemetry's SDK is never imported here."""
