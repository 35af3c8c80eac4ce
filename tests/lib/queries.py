"""What customers of a small shop ask, written for the tests: seven labels, and what is about none of them."""

from itertools import product

SAID = {
    "parcel": (
        ["where is my parcel", "my parcel has not arrived", "the tracking has not moved", "the courier never came"],
        ["", "since monday", "for order 1182", "it was promised for today", "can you check", "and i need it soon"],
    ),
    "refund": (
        ["i want my money back", "when do i get my refund", "please refund me", "the refund is not on my account"],
        ["", "for the blue lamp", "i sent it back last week", "you promised it", "it has been ten days", "thank you"],
    ),
    "password": (
        ["i cannot sign in", "my password does not work", "how do i reset my password", "the login page rejects me"],
        ["", "since the update", "on my phone", "no mail comes", "please help", "i tried three times"],
    ),
    "invoice": (
        ["i need an invoice with our tax number", "please send the invoice", "the invoice shows a wrong address", "no invoice"],
        ["", "for our accountant", "for march", "as pdf", "our company moved", "thank you"],
    ),
    "broken": (
        ["the lamp arrived broken", "it stopped working", "the switch fell off", "there is a crack in the glass"],
        ["", "after two days", "can i have another", "i have photographs", "what now", "i am disappointed"],
    ),
    "cancel": (
        ["please cancel my order", "i want to cancel", "stop the order before it ships", "can i still cancel"],
        ["", "i ordered twice", "number 2290", "i found it cheaper", "it is not needed any more", "quickly please"],
    ),
    "größe": (
        ["welche größe brauche ich", "die größe passt nicht", "gibt es die jacke größer", "kann ich die größe tauschen"],
        ["", "für meinen sohn", "in blau", "bitte um antwort", "sie ist zu klein", "vielen dank"],
    ),
}  # fmt: skip
STRANGE = [
    "what is the capital of portugal", "play some jazz", "who won the cup in 1990", "translate good morning into danish",
    "how tall is the eiffel tower", "remind me to water the plants", "is it going to snow tomorrow", "tell me a joke",
]  # fmt: skip


def rows(*, holdout: bool) -> list[tuple[str, str]]:
    """Two thirds of all, or the third that is held out; each beginning and each end is in both."""
    return [
        (f"{begin} {end}".strip(), label)
        for label, (begins, ends) in SAID.items()
        for (first, begin), (second, end) in product(enumerate(begins), enumerate(ends))
        if ((first + second) % 3 == 2) is holdout
    ]
