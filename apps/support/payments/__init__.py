"""What customers have paid, and paying it back, through Stripe."""

from .account import Payments as Payments
from .hooks import hooks as hooks
from .keys import kind_of as kind_of
from .reopening import Reopening as Reopening
from .webhooks import RefundEvent as RefundEvent
from .webhooks import received as received
