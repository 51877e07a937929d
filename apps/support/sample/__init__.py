"""A help desk to practise on: sixty tickets, and a local Stripe with the payments."""

from .sample import make_sample as make_sample
