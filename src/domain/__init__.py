"""The rules: schedules, cron, authorization, firing, monitoring. Imports ports and pydantic only."""
