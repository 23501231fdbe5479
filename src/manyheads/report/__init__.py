"""Results become tables, figures and one HTML page."""
