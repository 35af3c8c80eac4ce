"""How people sign in: by invitation only, with the password or a second factor."""

from allauth.account.adapter import DefaultAccountAdapter
from django.db import transaction
from django.http import HttpRequest

from helpdesk.accounts import presence
from helpdesk.accounts.models import User


class StaffAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Nobody signs up; an admin adds people."""
        return False

    @transaction.atomic
    def login(self, request: HttpRequest, user: User) -> None:
        """Who was invited is available from the first time on that they come in; from then on they say so themselves."""
        first = user.last_login is None
        super().login(request, user)
        if first:
            presence.set_available(user, True, by=user)
