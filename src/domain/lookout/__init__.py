"""What the operator's page shows of all users: figures that are kept, lists, a bench for cron."""
