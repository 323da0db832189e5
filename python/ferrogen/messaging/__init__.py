"""Topics, subscriptions, message contexts and intervention handlers."""
