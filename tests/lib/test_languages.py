"""In which language people write: right, or not said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpdesk.lib.languages import choices, name_of, preferred, spoken

# What customers write, from two words on; "~" where so little may also say nothing.
SAID = """
de Hallo, ich kann mich nicht mehr anmelden.
de Meine Rechnung ist falsch
de Guten Tag, leider funktioniert der Export seit gestern nicht mehr. Viele Grüße, Jonas
~de Passwort vergessen
~de Rechnung doppelt
en My invoice is wrong
en I cannot log in any more, please help.
en Hi team, since yesterday our webhook returns 500. Could you have a look? Thanks, Ben
~en Hello
~en Password reset
~en Cancel subscription
fr Bonjour, je ne peux plus me connecter.
fr Ma facture est fausse
~fr Facture en double
es Hola, no puedo iniciar sesión.
es Buenos días, desde ayer no funciona la exportación. ¿Pueden revisarlo? Saludos, Marta
~es Mi factura está mal
it Ciao, non riesco più ad accedere.
it La mia fattura è sbagliata
nl Hallo, ik kan niet meer inloggen.
nl Mijn factuur klopt niet
pt Olá, não consigo entrar na minha conta.
pl Dzień dobry, nie mogę się zalogować.
sv Hej, jag kan inte logga in längre.
da Hej, jeg kan ikke logge ind længere.
~da Min faktura er forkert
nb Hei, jeg får ikke logget inn lenger.
fi Hei, en pääse enää kirjautumaan sisään.
cs Dobrý den, nemohu se přihlásit.
hu Jó napot, nem tudok bejelentkezni.
ro Bună ziua, nu mă pot autentifica.
tr Merhaba, artık giriş yapamıyorum.
el Καλημέρα, δεν μπορώ να συνδεθώ.
~ru Здравствуйте, я не могу войти в систему.
ru Добрый день! Со вчерашнего дня не работает выгрузка, посмотрите, пожалуйста.
uk Добрий день, не можу увійти в систему.
ar مرحبا، لا أستطيع تسجيل الدخول.
he שלום, אני לא מצליח להתחבר.
ja ログインできなくなりました。
zh-hans 我无法登录，请帮忙。
ko 로그인이 안 됩니다.
"""
CASES = [line.split(" ", 1) for line in SAID.strip().splitlines()]


@pytest.mark.parametrize(("code", "text"), CASES, ids=[text[:24] for _code, text in CASES])
def test_it_is_right_or_says_nothing(code, text):
    found = spoken(text)
    assert found == code.strip("~") or (code.startswith("~") and not found)


def test_what_is_no_language_is_none():
    for text in ("", "   ", "12345 67", "https://nordwind.example/rechnung", "ben@carter.example", "\ud800", "\x00", "{{{ }}}"):
        assert spoken(text) == ""


def test_what_a_program_printed_does_not_decide():
    trace = 'File "/srv/app/export.py", line 10, in run_export\n  raise ValueError("line=10_000")\n'
    assert spoken(f"Guten Tag, der Export bricht seit gestern ab. Das steht im Protokoll:\n{trace}") == "de"


@given(st.text(st.characters(codec=None), max_size=300))
def test_whatever_is_written_has_one_that_we_know_or_none(text):
    assert spoken(text) in dict(choices())


def test_a_browser_asks_for_some():
    assert preferred("de-CH,de;q=0.9,en;q=0.5") == "de" and preferred("pt-BR,pt") == "pt-br"
    assert preferred("en;q=0.2, fr;q=0.8") == "fr" and preferred("tlh, xx") == preferred("") == preferred(";;q=") == ""


def test_they_have_names():
    assert name_of("de") == "German" and name_of("tlh") == "tlh" and name_of("") == ""
    assert choices("tlh")[-1] == ("tlh", "tlh") and choices("de") == choices()
