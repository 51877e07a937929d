"""Many processes, kills everywhere: each refund is made once, and the budget holds."""

import pytest

from tests.storm import storm


@pytest.mark.slow
def test_no_refund_is_doubled_or_lost_whoever_is_killed(tmp_path):
    """Workers and sandboxes die at random; store, Stripe and plan agree to the cent in the end."""
    seen = storm(tmp_path, refunds=40, processes=4, seed=3, rounds=1)
    assert seen["workers"] > 0
    assert seen["asked"] > 0
