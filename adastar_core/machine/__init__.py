"""This process and this machine: folders, threads, memory, what may be reached, and how processes end."""
