import os
from getpass import getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email

from helpdesk.accounts import people
from helpdesk.accounts.models import Role, User


class Command(BaseCommand):
    help = "Add a person who works here: the first admin, above all. Asks for the password, or takes TWOFOLD_PASSWORD."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--name", required=True)
        parser.add_argument("--role", choices=Role.values, default=Role.ADMIN)

    def handle(self, *, email: str, name: str, role: str, **_: Any) -> None:
        try:
            validate_email(email)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        if User.objects.filter(email__iexact=email).exists():
            raise CommandError(f"{email} works here already.")
        password = os.environ.get("TWOFOLD_PASSWORD") or self._ask()
        try:
            validate_password(password, User(email=email, name=name))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        people.add_person(email, name, by="command line", password=password, role=role)
        self.stdout.write(f"{name} ({role}) can sign in as {email.lower()}.")

    def _ask(self) -> str:
        try:
            password, again = getpass("Password: "), getpass("Again: ")
        except EOFError:
            raise CommandError("No password: set TWOFOLD_PASSWORD or answer the question.") from None
        if password != again:
            raise CommandError("These were two different passwords.")
        return password
