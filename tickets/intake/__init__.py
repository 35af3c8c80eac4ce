"""Every way in: `open_ticket` begins a conversation, `hear` goes on with one; mail, form, API and outreach end in these."""

from tickets.intake.mail import receive_mail
from tickets.intake.opening import Words, hear, on_ticket_requested, open_ticket
from tickets.models.change import imported

__all__ = ["Words", "hear", "imported", "on_ticket_requested", "open_ticket", "receive_mail"]
