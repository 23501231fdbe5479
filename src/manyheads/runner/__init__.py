"""A whole study: its runs in one process or several, what has become of them, and what is asked of them at the end."""
