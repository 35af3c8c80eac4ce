"""What an admin sets up about mail: our addresses, and the servers where their mail is fetched."""

from typing import Any

from django import forms
from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts import vault
from helpdesk.accounts.models import User
from helpdesk.customers.addresses import BadAddress, canonical
from helpdesk.customers.setup import SetupForm
from helpdesk.mail.models import Mailbox


class MailboxForm(SetupForm):
    noun = "mailbox"
    told = (
        "name",
        "address",
        "team_id",
        "is_default",
        "signature",
        "imap_host",
        "imap_port",
        "imap_tls",
        "imap_user",
        "imap_folder",
    )
    is_default = forms.BooleanField(
        label=_("The usual sender"), required=False, help_text=_("For everything that names no other mailbox.")
    )
    imap_port = forms.IntegerField(label=_("Port"), min_value=1, max_value=65535, initial=993)
    password = forms.CharField(
        label=_("Password"),
        required=False,
        max_length=500,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("Kept sealed. Empty leaves the one there is."),
    )

    class Meta:
        model = Mailbox
        fields = ["name", "address", "team", "signature", "imap_host", "imap_tls", "imap_user", "imap_folder"]
        labels = {
            "name": _("Name"),
            "address": _("Address"),
            "team": _("Team"),
            "signature": _("Signature"),
            "imap_host": _("IMAP server"),
            "imap_tls": _("Encrypted (TLS)"),
            "imap_user": _("User"),
            "imap_folder": _("Folder"),
        }
        help_texts = {
            "name": _("Customers read it as the sender."),
            "team": _("Tickets that arrive here go to this team."),
            "signature": _("Below every reply."),
            "imap_host": _("Empty if mail reaches us by SMTP or pipe."),
        }
        widgets = {"signature": forms.Textarea(attrs={"rows": 3})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial.update(is_default=self.instance.is_default, imap_port=self.instance.imap_port)

    def _facts(self) -> dict[str, Any]:
        """The password itself is never told, only that there is a new one."""
        return super()._facts() | ({"has_new_password": True} if getattr(self, "sealed", b"") else {})

    def clean_address(self) -> str:
        try:
            return canonical(self.cleaned_data["address"])
        except BadAddress as error:
            raise forms.ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        if said.get("imap_host") and not said.get("imap_user"):
            self.add_error("imap_user", _("Say who signs in at the IMAP server."))
        if said.get("imap_host") and not said.get("password") and not self.instance.imap_secret:
            self.add_error("password", _("Give the password of the IMAP server."))
        self.sealed = b"" if self._same_password(said.get("password", "")) else vault.seal(said.get("password", ""))
        self.instance.is_default, self.instance.imap_port = said.get("is_default", False), said.get("imap_port", 993)
        return said

    def _same_password(self, password: str) -> bool:
        """Whether it is the one we have: the second of two clicks changes nothing, and says so nowhere."""
        try:
            return vault.unseal(self.instance.imap_secret) == password
        except vault.Unreadable:
            return False

    @transaction.atomic
    def keep(self, *, by: User) -> Mailbox:
        box = self.instance
        if self.sealed:
            box.imap_secret = self.sealed
        if {"imap_host", "imap_user", "imap_folder"} & set(self.changed_data):
            box.uidvalidity, box.last_uid, box.last_error = None, 0, ""  # another mailbox: its numbers begin anew
        if box.pk is None:
            box.slug = _free_slug(box.name)
        if box.is_default:
            Mailbox.objects.filter(is_default=True).exclude(pk=box.pk).update(is_default=False)
        kept: Mailbox = super().keep(by=by)
        return kept


def _free_slug(name: str) -> str:
    """What commands call it (`receive_mail --mailbox SLUG`)."""
    base = slugify(name)[:50] or "mailbox"
    taken = set(Mailbox.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    return next(slug for slug in (base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))) if slug not in taken)
