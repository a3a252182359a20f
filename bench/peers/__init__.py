"""What a user would pick instead, with its documented best settings; see each file's links.

These programs run in an environment of their own, `.venv-peers`, and import nothing of NeonHub.
"""
