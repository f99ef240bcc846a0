"""The page under `/ui`: what is scheduled, what is coming, what happened, for people."""
