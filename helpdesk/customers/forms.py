"""What people fill in about customers."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from helpdesk.accounts.setup import SetupForm
from helpdesk.customers import definitions, inputs
from helpdesk.customers.addresses import BadAddress, canonical
from helpdesk.customers.models import Company, Customer, FieldDefinition, Subscription
from helpdesk.customers.payloads import BadPayload
from helpdesk.customers.profile import Profile, merged
from helpdesk.lib import languages
from helpdesk.lib.forms import choice, known_zone


class CustomerForm(forms.Form):
    """The facts of a customer, with a field for each attribute that has a definition."""

    name = forms.CharField(label=_("Name"), max_length=200, required=False)
    emails = forms.CharField(
        label=_("Email addresses"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text=_("One a line. We write to the first; earlier ones stay known."),
    )
    company = forms.CharField(label=_("Company"), max_length=200, required=False)
    stage = forms.CharField(label=_("Stage"), max_length=40, required=False, help_text=_("For example trial or customer"))
    language = forms.ChoiceField(label=_("Language"), required=False)
    zone = forms.CharField(
        label=_("Time zone"),
        max_length=64,
        required=False,
        help_text=_("For example Europe/Berlin. Empty: that of the company, else ours."),
    )

    def __init__(self, *args: Any, customer: Customer | None = None, **kwargs: Any) -> None:
        self.customer = customer
        self.definitions = list(definitions.of(FieldDefinition.Subject.CUSTOMER).values())
        super().__init__(*args, **{"initial": self._known(), **kwargs})
        choice(self, "language").choices = languages.choices(customer.language if customer else "")
        attributes = customer.attributes if customer else {}
        for definition in self.definitions:
            self.fields[inputs.name_of(definition)] = inputs.field(definition, attributes.get(definition.key))

    def _known(self) -> dict[str, Any]:
        if self.customer is None:
            return {}
        addresses = sorted(self.customer.addresses.all(), key=lambda address: (not address.is_primary, address.pk))
        known = {name: getattr(self.customer, name) for name in ("name", "stage", "language", "zone")}
        known["emails"] = "\n".join(address.shown for address in addresses)
        known["company"] = self.customer.company.name if self.customer.company else ""
        return known | inputs.initial(self.customer.attributes)

    def clean_emails(self) -> list[str]:
        lines = [line.strip() for line in self.cleaned_data["emails"].splitlines() if line.strip()]
        for line in lines:
            try:
                canonical(line)
            except BadAddress as error:
                raise forms.ValidationError(f"{line[:80]}: {error}") from error
        if len(lines) > 20:
            raise forms.ValidationError(_("At most 20 addresses."))
        return lines

    def clean_zone(self) -> str:
        return known_zone(self.cleaned_data["zone"])

    def clean(self) -> dict[str, Any]:
        if self.customer is None and not self.cleaned_data.get("emails") and "emails" not in self.errors:
            self.add_error("emails", _("A new customer needs an address."))
        return self.cleaned_data

    def profile(self) -> Profile:
        """What was said, ready for `identity`; a field left empty takes its attribute away."""
        said = self.cleaned_data
        known = self.customer.attributes if self.customer else {}
        attributes = inputs.said(self.definitions, said)
        attributes = {key: value for key, value in attributes.items() if value is not None or key in known}
        company = said["company"] if said["company"] != self.initial.get("company", "") else None  # names are not unique
        return Profile(
            name=said["name"],
            stage=said["stage"],
            language=said["language"],
            zone=said["zone"],
            company=company,
            attributes=attributes,
        )


class CompanyForm(SetupForm):
    """The facts of a company, with a field for each attribute that has a definition."""

    noun = "company"
    told = ("name", "zone", "attributes")

    class Meta:
        model = Company
        fields = ["name", "zone"]
        labels = {"name": _("Name"), "zone": _("Time zone")}
        help_texts = {"zone": _("For example Europe/Berlin. Whoever of them has none of their own goes by it. Empty: ours.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {**self.initial, **inputs.initial(self.instance.attributes)}
        self.definitions = list(definitions.of(FieldDefinition.Subject.COMPANY).values())
        for definition in self.definitions:
            self.fields[inputs.name_of(definition)] = inputs.field(definition, self.instance.attributes.get(definition.key))

    def clean_zone(self) -> str:
        return known_zone(self.cleaned_data["zone"])

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        try:
            self.instance.attributes = merged(self.instance.attributes, inputs.said(self.definitions, said))
        except BadPayload as error:
            self.add_error(None, str(error))
        return said


class ConsentForm(forms.Form):
    """A person writes down what a customer told them."""

    subscription = forms.ModelChoiceField(Subscription.objects.all())
    given = forms.TypedChoiceField(choices=[("yes", _("Yes")), ("no", _("No"))], coerce=lambda word: word == "yes")
    wording = forms.CharField(
        label=_("In which words, and where?"), max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )

    def clean(self) -> dict[str, Any]:
        if self.cleaned_data.get("given") and not self.cleaned_data.get("wording"):
            self.add_error("wording", _("Consent needs its proof: what they said, and where."))
        return self.cleaned_data


class SegmentForm(forms.Form):
    """What a segment is called; whom it means is asked by ConditionsForm."""

    name = forms.CharField(label=_("Name"), max_length=120)
