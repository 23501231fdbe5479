"""The stories and passages of `small_world`. Data only; slots are as in `_small_world_words.py`."""

from typing import Any

# Choices: families of four continuations, each with plain and hard beginnings that it alone continues. Every
# continuation of a family is right equally often, so that the continuations alone tell nothing.
PARTNERS = (("", "2"), ("2", "3"), ("3", "4"), ("4", ""))
GUESTS = "{person} ordered the {dish}, {person2} the {dish2}, {person3} the {dish3} and {person4} the {dish4}."
MENU = "On the menu at {restaurant} are {dish}, {dish2}, {dish3} and {dish4}."
SHOWINGS = "{film} is shown on {day}, {day2}, {day3} and {day4}."
STORIES = (
    (
        ("{woman} wiped her plate clean, and {man} left his food.",
         ("{woman} thought her {dish} was {good}. {man} thought his was {bad}.",),
         ("{woman} did not find her {dish} {bad} at all. {man} had looked forward to his, but it was {bad}.",
          "{man} would not have called his {dish} {good}. {woman} had feared the worst, but hers was {good}.")),
        ("{man} wiped his plate clean, and {woman} left her food.",
         ("{woman} thought her {dish} was {bad}. {man} thought his was {good}.",),
         ("{woman} did not find her {dish} {good} at all. {man} had feared the worst, but his was {good}.",
          "{man} would not have called his {dish} {bad}. {woman} had looked forward to hers, but it was {bad}.")),
        ("both of them wiped their plates clean.",
         ("{woman} thought her {dish} was {good}. {man} thought his was {good2}.",),
         ("{woman} did not find her {dish} {bad} at all. {man} had feared the worst, but his was {good}.",
          "{man} would not have called his {dish} {bad}. {woman} had feared the worst, but hers was {good}.")),
        ("both of them left their food.",
         ("{woman} thought her {dish} was {bad}. {man} thought his was {bad2}.",),
         ("{woman} did not find her {dish} {good} at all. {man} had looked forward to his, but it was {bad}.",
          "{man} would not have called his {dish} {good}. {woman} had looked forward to hers, but it was {bad}.")),
    ),
    tuple(
        (f"the waiter set it down in front of {{person{mine}}}.",
         (f"{GUESTS} The {{dish{mine}}} was ready first.", f"{GUESTS} The waiter came back with the {{dish{mine}}}."),
         (f"{GUESTS} The {{dish{other}}} was sold out, and the {{dish{mine}}} was ready first.",
          f"{GUESTS} Soon everybody but {{person{mine}}} had been served, and the cook rang the bell again.",
          f"{GUESTS} The {{dish{other}}} had to wait a little. The waiter came out with the {{dish{mine}}}."))
        for mine, other in PARTNERS
    ),
    (
        ("they looked at the menu together.",
         ("{person} and {person2} sat down at {restaurant}. They were handed the list of dishes.",),
         ("{person} and {person2} wanted to order, but did not know yet what there was.",)),
        ("they told the waiter what they would like.",
         ("{person} and {person2} closed the menu at {restaurant}. The waiter took out a notebook.",),
         ("{person} and {person2} had read the menu twice. Nothing was ordered yet, and the waiter waited.",)),
        ("they began to eat.",
         ("The waiter at {restaurant} brought {person} and {person2} the {dish}.",),
         ("{person} and {person2} had ordered long ago. Now the {dish} stood before them at last, still hot.",)),
        ("they asked for the bill.",
         ("The plates of {person} and {person2} were empty. It was time to leave {restaurant}.",),
         ("{person} and {person2} had finished the {dish}. They wanted no coffee, and had not paid yet.",)),
    ),
    (
        ("{person} laughed until it hurt.",
         ("{film} is a comedy, and {person} found it very funny.",),
         ("{film} is not meant to be sad or frightening. {person} had never heard so many good jokes.",)),
        ("{person} wept quietly in the dark.",
         ("{film} is a tragedy, and {person} found it very sad.",),
         ("{film} begins with jokes and ends with a funeral. {person} was moved by the last scene.",)),
        ("{person} hid behind the seat in front.",
         ("{film} is a horror film, and {person} found it very frightening.",),
         ("{film} was sold as a comedy, but there is little to laugh about. {person} is afraid of ghosts.",)),
        ("{person} soon fell asleep.",
         ("{film} is very slow, and {person} was very tired.",),
         ("{film} is neither funny nor sad nor frightening. {person} had been awake since four.",)),
    ),
    tuple(
        (f"{{person}} took the {{dish{mine}}}.",
         (f"{MENU} The {{dish{mine}}} costs {{low}} and all else costs {{high}}. {{person}} had {{middle}}.",),
         (f"{MENU} {{person}} would have liked the {{dish{other}}} best, but had only {{middle}}. Everything "
          f"except the {{dish{mine}}} costs {{high}}.",
          f"{MENU} {{person}} does not like the {{dish{other}}}, nor anything else there except the {{dish{mine}}}.",
          f"{MENU} The {{dish{other}}} was {{good}} last time, but now {{person}} felt more like {{dish{mine}}}."))
        for mine, other in PARTNERS
    ),
    tuple(
        (f"so they met on {{day{mine}}}.",
         (f"{SHOWINGS} Only on {{day{mine}}} were both {{person}} and {{person2}} free.",),
         (f"{SHOWINGS} {{person}} was free on {{day{mine}}} and {{day{other}}}. {{person2}} was free on all days but "
          f"{{day{other}}}.",
          f"{SHOWINGS} {{person}} and {{person2}} asked for {{day{other}}}, but only {{day{mine}}} was left."))
        for mine, other in PARTNERS
    ),
)  # fmt: skip

# Passages: (what is stated, ((slot that answers, plain question, reworded question), ...)); each slot has a type.
PASSAGES: dict[str, dict[str, Any]] = {
    "restaurant": {
        "introductions": (
            "{name} is a restaurant with an open kitchen.", "{name} is among the best-known restaurants here.",
            "{name} is a family restaurant by the river.", "{name} is a small restaurant in an old mill.",
        ),
        "slots": {
            "restaurant": ("name", "branch"), "person": ("founder", "cook", "critic", "architect", "partner"),
            "year": ("opened", "moved", "hired", "rebuilt", "branched"), "town": ("town", "origin", "vineyard"),
            "dish": ("dish", "special", "praised"), "price": ("price", "specialprice"), "day": ("served", "closed"),
            "count": ("seats", "staff"),
        },
        "facts": (
            ("{founder} founded {name}.", (("founder", "Who founded {name}?", "Whose idea was {name}?"),)),
            ("{name} opened in {opened}.",
             (("opened", "When did {name} open?", "In which year did guests first eat at {name}?"),)),
            ("In {moved} the restaurant moved from {origin} to {town}.",
             (("moved", "When did {name} move?", "In which year did {name} leave its first home?"),
              ("origin", "Where did {name} move from?", "In which town did {name} begin?"),
              ("town", "Where did {name} move to?", "In which town is {name} now?"))),
            ("{cook} has run the kitchen since {hired}.",
             (("cook", "Who runs the kitchen at {name}?", "Who is the head cook of {name}?"),
              ("hired", "Since when has {cook} run the kitchen?", "In which year did {cook} become head cook?"))),
            ("The best-known dish is the {dish}.",
             (("dish", "What is the best-known dish at {name}?", "Which dish is {name} famous for?"),)),
            ("The {dish} costs {price}.",
             (("price", "How much does the {dish} cost?", "What is the price of the {dish}?"),)),
            ("The {special} is served on {served} only.",
             (("served", "On which day is the {special} served?", "When can guests order the {special}?"),
              ("special", "Which dish is served on {served} only?", "What can guests order on no day but {served}?"))),
            ("Guests pay {specialprice} for the {special}.",
             (("specialprice", "How much does the {special} cost?", "What is the price of the {special}?"),)),
            ("{critic} praised the {praised} in the local paper.",
             (("critic", "Who praised the {praised}?", "Who wrote about the {praised} in the local paper?"),
              ("praised", "Which dish did {critic} praise?", "What did {critic} like best?"))),
            ("{architect} designed the dining room, which was rebuilt in {rebuilt}.",
             (("architect", "Who designed the dining room?", "Whose design is the dining room?"),
              ("rebuilt", "When was the dining room rebuilt?", "In which year did builders work at {name}?"))),
            ("There is room for {seats} guests.",
             (("seats", "How many guests is there room for?", "How many people can eat at {name} at once?"),)),
            ("The team has {staff} members.",
             (("staff", "How many members has the team?", "How many people work at {name}?"),)),
            ("The wine comes from a vineyard near {vineyard}.",
             (("vineyard", "Where does the wine come from?", "Near which town do the grapes grow?"),)),
            ("The doors stay closed on {closed}.",
             (("closed", "On which day do the doors stay closed?", "When can nobody eat at {name}?"),)),
            ("{partner} opened a second restaurant, {branch}, in {branched}.",
             (("partner", "Who opened {branch}?", "Whose restaurant is {branch}?"),
              ("branched", "When did {branch} open?", "In which year did guests first eat at {branch}?"))),
        ),
    },
    "film": {
        "introductions": (
            "{name} is a film that many people still talk about.", "{name} is a film about a family by the sea.",
            "{name} is a quiet film with little music.", "{name} is a film that was almost never made.",
        ),
        "slots": {
            "film": ("name", "sequel"), "person": ("director", "lead", "support", "writer", "composer", "critic"),
            "year": ("written", "shot", "released", "won", "followed"), "town": ("place", "premiere", "festival"),
            "part": ("hero", "friend"), "million": ("cost", "earned"), "length": ("minutes", "days"),
        },
        "facts": (
            ("{director} directed {name}.",
             (("director", "Who directed {name}?", "Who was in charge of making {name}?"),)),
            ("{writer} wrote the script in {written}.",
             (("writer", "Who wrote the script?", "Whose words do the actors of {name} speak?"),
              ("written", "When was the script written?", "In which year did {writer} work on the story?"))),
            ("{lead} plays the {hero}.",
             (("lead", "Who plays the {hero}?", "Which actor appears as the {hero}?"),
              ("hero", "Which part does {lead} play?", "As what does {lead} appear?"))),
            ("{support} plays the {friend}.",
             (("support", "Who plays the {friend}?", "Which actor appears as the {friend}?"),
              ("friend", "Which part does {support} play?", "As what does {support} appear?"))),
            ("The crew shot the film in {place} in {shot}.",
             (("place", "Where was the film shot?", "In which town did the crew work?"),
              ("shot", "When was the film shot?", "In which year did the crew work?"))),
            ("It was first shown in {premiere} in {released}.",
             (("premiere", "Where was {name} first shown?", "In which town did {name} have its premiere?"),
              ("released", "When was {name} first shown?", "In which year did {name} have its premiere?"))),
            ("{composer} wrote the music.",
             (("composer", "Who wrote the music?", "Whose melodies are heard in {name}?"),)),
            ("It cost {cost} to make.",
             (("cost", "How much did {name} cost?", "What did the makers of {name} spend?"),)),
            ("In the first week it earned {earned}.",
             (("earned", "How much did {name} earn in the first week?", "What came in at the box office?"),)),
            ("In {won} it won the main prize in {festival}.",
             (("won", "When did {name} win the main prize?", "In which year was {name} honoured?"),
              ("festival", "Where did {name} win the main prize?", "In which town was {name} honoured?"))),
            ("It runs for {minutes} minutes.",
             (("minutes", "For how many minutes does {name} run?", "How long is {name}, in minutes?"),)),
            ("The crew needed {days} days.",
             (("days", "How many days did the crew need?", "How long did the crew work on {name}, in days?"),)),
            ("{critic} praised the camera work.",
             (("critic", "Who praised the camera work?", "Who liked what the camera showed?"),)),
            ("A second part, {sequel}, followed in {followed}.",
             (("followed", "When did {sequel} follow?", "In which year did the story go on?"),
              ("sequel", "What is the second part called?", "Under which title did the story go on?"))),
        ),
    },
}  # fmt: skip
