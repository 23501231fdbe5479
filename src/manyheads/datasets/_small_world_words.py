"""The words and sentence patterns of `small_world`. Data only.

`{slot}` stands for a drawn phrase. The same slot is the same phrase throughout one example; `{dish}` and `{dish2}` are
two different dishes. Sentences begin in lower case here and are capitalised when written.
"""

# ruff: noqa: SIM905 - long lists of single words read better without a pair of quotes each

WOMEN = tuple(
    "Anna Beatrice Carla Diana Elena Freya Grace Hanna Irene Julia Karin Laura Maria Nadia Olga Paula".split()
)
MEN = tuple("Adam Bruno Carl David Edgar Felix George Hugo Ivan Jonas Kevin Louis Martin Niels Oscar Pablo".split())
FAMILIES = tuple(
    "Abbott Berger Costa Dalton Ekberg Ferrari Garcia Holm Ivanov Jansen Keller Lopez Moreau Novak Okafor Patel Quinn "
    "Rossi Silva Turner Ueda Vogel Walsh Young Zeman".split()
)
TOWNS = tuple(
    "Aberdeen Bergen Bologna Bruges Cardiff Cork Dresden Geneva Ghent Graz Krakow Leeds Lisbon Lyon Malmo Naples "
    "Oxford Porto Riga Salzburg Seville Tartu Turin Utrecht Verona York".split()
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
RESTAURANTS = tuple(
    f"the {first} {second}"
    for first in ("Golden", "Old", "Blue", "Little", "Silver", "Green", "Crooked", "Quiet", "Red", "Hidden")
    for second in ("Lantern", "Oyster", "Barn", "Olive", "Kettle", "Anchor", "Garden", "Spoon", "Mill", "Fig Tree")
)
FILMS = tuple(
    f"{first} {second}"
    for first in (
        "Winter",
        "Paper",
        "Midnight",
        "Silent",
        "Broken",
        "Distant",
        "Second",
        "Burning",
        "Northern",
        "Glass",
    )
    for second in ("Harbour", "Letters", "Express", "Summer", "River", "Promise", "Orchard", "Station", "Mirror", "Sky")
)
DISHES = (
    "lamb stew", "roast chicken", "beef pie", "grilled trout", "onion soup", "mushroom risotto", "duck breast",
    "fish soup", "apple tart", "lemon cake", "vegetable curry", "spinach lasagne", "pork roast", "seafood paella",
    "chocolate mousse", "tomato salad", "potato gratin", "cheese omelette", "pumpkin ravioli", "cherry pudding",
)  # fmt: skip
ROLES = ("cook", "waiter", "guest", "critic", "actor", "director", "singer", "manager", "customer", "baker", "painter")
MOMENTS = ("last night", "on {day}", "after the show", "before the film", "during the festival", "late in the evening")
PARTS = tuple("doctor thief detective teacher pilot gardener pianist judge sailor nurse".split())
VERBS = ("praise", "describe", "criticise", "admire", "share", "taste", "prepare", "notice", "recognise", "examine")
ARRIVED = ("arrived", "smiled", "laughed", "disappeared", "slept", "coughed", "vanished")
DEVOURED = ("devoured", "praised", "mentioned", "prepared", "bought", "found", "described")
GAVE = ("gave", "handed", "sold", "showed", "lent", "offered")
DESCRIBED = ("described", "explained", "mentioned", "suggested", "returned", "carried")

# Opinions: what both domains share, and what each has of its own. Aspects are (things, good words, bad words).
GOOD = tuple(
    "superb wonderful excellent delightful impressive remarkable splendid first-rate charming outstanding marvellous "
    "brilliant memorable fantastic lovely".split()
)
BAD = tuple(
    "dreadful disappointing terrible awful poor forgettable mediocre second-rate unpleasant dismal dull underwhelming "
    "lifeless hopeless tiresome".split()
)
ASPECTS = {
    "film": (
        (
            ("the plot", "the story", "the script", "the ending", "the second half", "the dialogue", "the first hour"),
            ("gripping", "witty", "clever", "suspenseful", "thoughtful", "inventive", "touching"),
            ("predictable", "tedious", "plodding", "muddled", "far-fetched", "humourless", "long-winded"),
        ),
        (
            ("the acting", "the lead actor", "the whole cast", "the main performance", "the leading lady"),
            ("convincing", "heartfelt", "believable", "magnetic", "spirited"),
            ("wooden", "stiff", "unconvincing", "affected", "expressionless"),
        ),
        (
            ("the music", "the camera work", "the lighting", "the costume design", "the editing"),
            ("atmospheric", "haunting", "elegant", "stylish"),
            ("clumsy", "jarring", "sloppy", "amateurish"),
        ),
    ),
    "food": (
        (
            (
                "the lamb",
                "the roast chicken",
                "the duck breast",
                "the pork",
                "the steak",
                "the beef",
                "the grilled trout",
            ),
            ("tender", "delicious", "fragrant", "juicy", "tasty", "well seasoned", "full of flavour"),
            ("rubbery", "greasy", "overcooked", "tasteless", "undercooked", "dry", "tough"),
        ),
        (
            ("the service", "our waiter", "the waitress", "the man at the bar", "the head waiter"),
            ("attentive", "friendly", "prompt", "courteous", "helpful"),
            ("slow", "rude", "inattentive", "grumpy", "arrogant"),
        ),
        (
            ("the bread", "the apple tart", "the lemon cake", "the pastry"),
            ("buttery", "crisp", "light", "mouth-watering"),
            ("stale", "soggy", "sickly", "burnt"),
        ),
        (
            ("the dining room", "the terrace", "our corner table"),
            ("cosy", "inviting", "spotless", "airy"),
            ("cramped", "draughty", "noisy", "grimy"),
        ),
    ),
}
FRAMES = {
    "film": (
        "we saw {film} in {town} on {day}.", "I watched {film} with {friend}.", "{film} is the new film by {person}.",
        "{film} is set in {town}.", "this was my first film by {person}.", "I had a free ticket for {film}.",
        "{film} is based on a true story.", "{friend} took me to see {film} on {day}.",
    ),
    "food": (
        "we ate at {restaurant} in {town} on {day}.", "I went to {restaurant} with {friend}.",
        "{restaurant} has just opened in {town}.", "we were on our way to {town} and stopped at {restaurant}.",
        "{person} runs the kitchen at {restaurant}.", "{friend} took me to {restaurant} on {day}.",
        "I had a voucher for {restaurant}.", "{restaurant} is a short walk from the station in {town}.",
    ),
}  # fmt: skip
WHOLES = {"film": ("the film", "the picture", "the whole film"), "food": ("the meal", "the food", "the dinner")}
ASIDES = {
    "film": ("the cinema", "the trailer", "the poster", "the seat", "the novel", "the short film before it"),
    "food": ("the town", "the drive there", "the weather", "the hotel", "the market next door", "the old menu"),
}
FRIENDS = ("my sister", "my brother", "a colleague", "my neighbour", "an old friend", "my aunt", "my flatmate")
PLAIN_OPINIONS = (
    "{thing} was {word} and {thing2} was {word2}.", "{thing} was {very} {word}.", "I found {thing} {very} {word}.",
    "we all agreed that {thing} was {word}.", "{thing} was {word}, and {thing2} was {word2} too.",
    "what I remember best is how {word} {thing} was.", "{thing} seemed {very} {word} to me.",
    "{whole} was {shared}, and {thing} was {word} too.", "not only was {thing} {word}, {thing2} was {word2} as well.",
)  # fmt: skip
TURNED_OPINIONS = (
    "{thing} was not {turned} at all.", "nobody could call {thing} {turned}.", "{thing} was anything but {turned}.",
    "I cannot say that {thing} was {turned}.", "{thing} was never {turned}, whatever {friend} says.",
    "although {thing} was {turned}, {whole} was {shared}.", "{whole} was {shared}, even though {thing} was {turned}.",
    "{thing} was {very} {turned}, but {whole} as a whole was {shared}.",
    "despite everything that was {turned} about {thing}, {whole} was {shared}.",
    "{aside} was {unshared}, but {thing} was {word}.", "{whole} was {shared}; only {aside} was {unshared}.",
    "{friend} called {thing} {turned}, but I would say {word}.",
    "I thought {thing} was {word}, although {friend} said {turned}.",
    "I had expected {thing} to be {turned}, and I was wrong.",
    "{thing} was said to be {turned}, but turned out {word}.",
    "{thing} may have been {turned}, but {thing2} was {word2}, and that is what counts.",
    "{thing} was not {turned}, and {thing2} was not {turned2} either.",
    "nobody could deny that {thing} was {word}.",
    "it was not only {friend} who found {thing} {word}.",
    "I had expected {thing} to be {word}, and I was not wrong.",
)  # fmt: skip
INTENSIFIERS = ("really", "truly", "very, very", "quite simply", "thoroughly", "surprisingly", "altogether")
CLOSINGS = {
    "positive": (
        "I would go again tomorrow.", "I have no complaints.", "I am glad that we went.",
        "we could not have asked for more.", "it was worth every penny.", "I would not have missed it.",
        "we left in high spirits.", "I can only recommend it.",
    ),
    "negative": (
        "I would not go again.", "I have many complaints.", "I wish that we had not gone.",
        "we had asked for more than that.", "it was not worth the money.", "I would gladly have missed it.",
        "we left early.", "I cannot recommend it.",
    ),
}  # fmt: skip
