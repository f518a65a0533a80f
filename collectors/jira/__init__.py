"""Jira as a source: Cloud, Server and Data Center."""
