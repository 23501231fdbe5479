"""How Hypothesis is used: the same examples each time, and no clock, so that a test that fails, fails everywhere."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
STEADY = settings(settings.get_profile("steady"), max_examples=60)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
"""Any JSON value."""
