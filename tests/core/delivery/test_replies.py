"""Is what shoppers answer understood as they mean it: every STOP taken, and nothing else taken for one?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2s.core.delivery.replies import Wish, Word, wish_of

STOP = """
STOP | stop | Stop. | STOP!!! | STOPP | sttop | stoop | st0p | sotp | stpo | tsop
sto | stp | S T O P | s.t.o.p | S-T-O-P
ＳＴＯＰ | STOP 36000 | stop36000 | 36000 STOP | STOPSMS | stop pub | stop svp | Stop merci ! | svp stop | bonjour, stop
ARRET | ARRÊT | arret svp | Arrêter | arrêtez | ARRETEZ MOI CA | aretez | Arrêtez de m'envoyer des SMS
arre\u0302te | DESINSCRIPTION | Désinscription | désinscrire | desincription | je souhaite me désinscrire
DESABONNEMENT | me désabonner svp | résilier
plus de sms svp | Ne m’envoyez plus rien | je ne veux plus recevoir de pub
UNSUBSCRIBE | unsuscribe | please unsubscribe me | opt out | OPT-OUT | optout
STOPALL | stop all | cancel | QUIT | end | revoke
No more messages please | remove me | stop et start | START STOP
please stop | don't stop | Stop by the shop | aide stop
je m'arrête là
ST OP | sto p | Do not text me | Don't send me these | supprimez mon numéro | remove my number | enlevez-moi de la liste
"""
START = "START | start | Start please | strat | UNSTOP | 36000 start | REPRENDRE | réabonnement | resume"
HELP = "HELP | help me | hlep | AIDE | Aidez-moi | aide svp | besoin d'aide | ? | INFO | infos svp"
HOURS = """
HORAIRES | horaire | horaries | Horraires ? | vos horaires svp | OUVERT | Vous êtes ouvert dimanche ?
ouverture | Ouvert non-stop ?
à quelle heure fermez-vous | fermé lundi ? | HOURS | opening hours | are you open? | when do you close | shop open?
I will stop by at five, are you open? | heures d'ouverture
"""
NOTHING = """
merci | ok | oui | yes | non | top | shop | SHOP | pop | super | weekend | nonstop | bus stop | Quel arrêt de bus ?
l'arrêt de tram est loin | cancel my order | je veux annuler ma commande
mon numéro a changé | is this my number? | c'est top | restart | je commence demain | start at ten tomorrow
can I stop by today? | stopover | J'arrive | 👍 | 12345 | topaze | Stephane
"""


def cases(**told: str) -> list[tuple[str, str]]:
    return [
        (name, text.strip())
        for name, lines in told.items()
        for line in lines.split("\n")
        for text in line.split("|")
        if text.strip()
    ]


@pytest.mark.parametrize(
    ("word", "text"), cases(stop=STOP, start=START, help=HELP, hours=HOURS, nothing=NOTHING)
)
def test_a_reply_is_what_it_means(word: str, text: str) -> None:
    wish = wish_of(text)
    assert ("nothing" if wish is None else str(wish.word)) == word


@pytest.mark.parametrize(
    ("text", "language"),
    [("AIDE", "fr"), ("help", "en"), ("horaires", "fr"), ("hours", "en"), ("ouvert ?", "fr"), ("open", "en")],
)
def test_the_answer_is_in_the_language_of_the_word(text: str, language: str | None) -> None:
    wish = wish_of(text)
    assert wish is not None
    assert wish.language == language


def test_a_word_of_both_languages_has_none() -> None:
    assert wish_of("?") == wish_of("Info") == Wish(Word.HELP)


def test_nothing_is_no_wish() -> None:
    assert wish_of("") is None
    assert wish_of(" \n") is None


@given(st.text(max_size=60), st.sampled_from(["stop", "STOP", "Arrêtez", "désinscription", "unsubscribe"]))
def test_stop_before_anything_is_stop(text: str, word: str) -> None:
    assert wish_of(f"{word} {text}") == Wish(Word.STOP)


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    wish_of(text)
