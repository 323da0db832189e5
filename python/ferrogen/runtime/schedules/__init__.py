"""Schedules: messages that are sent again and again, at intervals or by cron expressions."""
