"""A help desk whose agent refunds through Stripe: small amounts freely, the rest asks a person."""
