"""The local PostgreSQL server: its programs, its files, and its start and stop."""
