"""What an admin sets up about mail: our addresses, and the servers where their mail is fetched."""

from typing import Any

from django import forms
from django.conf import settings
from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts import vault
from helpdesk.accounts.models import Team, User
from helpdesk.accounts.setup import SetupForm
from helpdesk.customers.addresses import BadAddress, canonical
from helpdesk.lib.forms import choice
from helpdesk.mail import oauth
from helpdesk.mail.models import Mailbox

SERVER = ["imap_host", "imap_port", "imap_tls"]  # whoever holds the secret; another one is not told it


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
        "provider",
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
        choice(self, "team").queryset = Team.objects.living(keeping=[self.instance.team_id])
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

    @property
    def then(self) -> str:
        """What shall happen when it is saved: "test", or the provider to sign in at."""
        wanted = str(self.data.get("then", ""))
        return wanted if wanted == "test" or wanted in oauth.providers() else ""

    def clean_imap_port(self) -> int:
        port: int = self.cleaned_data["imap_port"]
        if port not in settings.MAIL_PORTS:
            known = ", ".join(map(str, settings.MAIL_PORTS))
            raise forms.ValidationError(_("Mail is fetched at the ports %s. Another one must be in MAIL_PORTS.") % known)
        return port

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or self.cleaned_data
        if said.get("imap_host") and self.then in ("", "test"):
            self._clean_server(said)
        self.sealed = b"" if self._same_password(said.get("password", "")) else vault.seal(said.get("password", ""))
        self.instance.is_default, self.instance.imap_port = said.get("is_default", False), said.get("imap_port", 993)
        return said

    def _clean_server(self, said: dict[str, Any]) -> None:
        if not said.get("imap_user"):
            self.add_error("imap_user", _("Say who signs in at the IMAP server."))
        if said.get("password"):
            return
        if not self.instance.imap_secret:
            self.add_error("password", _("Give the password of the IMAP server."))
        elif {*SERVER} & {*self.changed_data}:
            self.add_error("password", _("The one we have was given for another server. Give it anew."))

    def _same_password(self, password: str) -> bool:
        """Whether it is the one we have: the second of two clicks changes nothing, and says so nowhere."""
        try:
            return vault.unseal(self.instance.imap_secret) == password
        except vault.Unreadable:
            return False

    @transaction.atomic
    def keep(self, *, by: User) -> Mailbox:
        box = self.instance
        self.written = [*self.told]
        if self.sealed or not box.imap_host:
            oauth.sign_out(box)
            box.imap_secret = self.sealed
            self.written += oauth.SECRETS
        if {"imap_host", "imap_user", "imap_folder"} & set(self.changed_data):
            box.begin_anew()
            self.written += Mailbox.PLACE
        if box.pk is None:
            box.slug = _free_slug(box.name)
        if box.is_default:
            Mailbox.objects.filter(is_default=True).exclude(pk=box.pk).update(is_default=False)
        kept: Mailbox = super().keep(by=by)
        return kept

    def _write(self) -> None:
        """Not the whole row: meanwhile its mail is fetched, and its tokens are renewed."""
        self.instance.save(update_fields=self.written if self.instance.pk else None)


def _free_slug(name: str) -> str:
    """What commands call it (`receive_mail --mailbox SLUG`)."""
    base = slugify(name)[:50] or "mailbox"
    taken = set(Mailbox.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    return next(slug for slug in (base, *(f"{base}-{n}" for n in range(2, len(taken) + 3))) if slug not in taken)
