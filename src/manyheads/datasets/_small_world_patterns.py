"""The grammar, inferences and paraphrases of `small_world`. Data only; slots are as in `_small_world_words.py`."""

# Acceptability: (acceptable, unacceptable). Both sides of a family use the same words, so that no word tells.
PLAIN_JUDGEMENTS = (
    (
        ("the {role} {verb}d the {dish} {moment}.", "{moment} the {role} {verb}d the {dish}."),
        ("the {role} the {dish} {verb}d {moment}.", "{verb}d the {role} {moment} the {dish}.",
         "the {role} {verb}d {dish} the {moment}.", "{role} the {verb}d the {dish} {moment}."),
    ),
    (
        ("the {role} {verb}s the {dish} and the {role2}s {verb} the {dish2}.",),
        ("the {role} {verb} the {dish} and the {role2}s {verb} the {dish2}.",
         "the {role} {verb}s the {dish} and the {role2}s {verb}s the {dish2}."),
    ),
    (
        ("the {role} has {verb}d the {dish} and will {verb} the {dish2}.",),
        ("the {role} has {verb} the {dish} and will {verb} the {dish2}.",
         "the {role} has {verb}d the {dish} and will {verb}d the {dish2}."),
    ),
    (
        ("the {role} that we met {moment} {verb}d the {dish}.",
         "{moment} we met the {role} that {verb}d the {dish}."),
        ("the {role} that we met {moment} {verb}d the.", "the that we met {moment} {verb}d the {dish}.",
         "the {role} that we met {moment} the {dish}."),
    ),
    (
        ("the {dish} is cheaper than the {dish2} {moment}.", "the {dish} is as cheap as the {dish2} {moment}."),
        ("the {dish} is cheap than the {dish2} {moment}.", "the {dish} is as cheaper as the {dish2} {moment}.",
         "the {dish} is cheaper the {dish2} {moment}."),
    ),
    (
        ("did the {role} {verb} the {dish} {moment}?", "what did the {role} {verb} {moment}?",
         "who {verb}d the {dish} {moment}?"),
        ("did the {role} {verb}d the {dish} {moment}?", "what did {verb} the {role} {moment}?",
         "who the {dish} {verb}d {moment}?", "what the {role} did {verb} {moment}?"),
    ),
)  # fmt: skip
TRAP_JUDGEMENTS = (
    (
        ("the {role} near the {role2}s {verb}s the {dish}.", "the {role}s near the {role2} {verb} the {dish}.",
         "the {role} behind the two {role2}s {verb}s the {dish}."),
        ("the {role} near the {role2}s {verb} the {dish}.", "the {role}s near the {role2} {verb}s the {dish}.",
         "the {role}s behind the {role2} {verb}s the {dish}."),
    ),
    (
        ("each of the {role}s {verb}s the {dish} {moment}.", "both {role}s {verb} the {dish} {moment}."),
        ("each of the {role}s {verb} the {dish} {moment}.", "both {role}s {verb}s the {dish} {moment}."),
    ),
    (
        ("{woman} taught herself to make the {dish}.", "{man} taught himself to make the {dish}.",
         "the man who met {woman} hurt himself {moment}.", "the woman who met {man} hurt herself {moment}."),
        ("{woman} taught himself to make the {dish}.", "{man} taught herself to make the {dish}.",
         "the man who met {woman} hurt herself {moment}.", "the woman who met {man} hurt himself {moment}."),
    ),
    (
        ("the {role} {arrived} {moment}.", "the {role} {devoured} the {dish} {moment}."),
        ("the {role} {arrived} the {dish} {moment}.", "the {role} {devoured} {moment}."),
    ),
    (
        ("{person} {gave} the {role} the {dish} {moment}.", "{person} {described} the {dish} to the {role} {moment}.",
         "{person} {gave} the {dish} to the {role} {moment}."),
        ("{person} {described} the {role} the {dish} {moment}.", "{person} {gave} to the {role} {moment}.",
         "{person} {described} to the {dish} the {role} {moment}."),
    ),
    (
        ("the {dish} that the {role} {verb}d {moment} was cold.",
         "the {role} {verb}d the {dish} because it was cold."),
        ("the {dish} that the {role} {verb}d it {moment} was cold.",
         "the {role} {verb}d the {dish} because was cold.",
         "the {dish} the {role} {verb}d it because was cold."),
    ),
    (
        ("{person} wanted to {verb} the {dish} {moment}.", "{person} enjoyed seeing the {role} {verb} the {dish}.",
         "{person} wanted the {role} to {verb} the {dish}."),
        ("{person} wanted {verb} the {dish} {moment}.", "{person} enjoyed to seeing the {role} {verb} the {dish}.",
         "{person} enjoyed seeing the {role} to {verb} the {dish}.", "{person} wanted the {role} {verb} the {dish}."),
    ),
    (
        ("there were too many {role}s and there was too much {dish}.",
         "how much {dish} did the {role} {verb} {moment}?",
         "how many {role}s {verb}d the {dish} {moment}?"),
        ("there were too much {role}s and there was too many {dish}.",
         "how many {dish} did the {role} {verb} {moment}?",
         "how much {role}s {verb}d the {dish} {moment}?"),
    ),
    (
        ("the {dish} was {verb}d by the {role} {moment}.", "the {dish} {verb}d by the {role} {moment} was cold."),
        ("the {dish} was {verb}d the {role} {moment}.", "the {dish} {verb}d by the {role} {moment}.",
         "the {dish} was {verb} by the {role} {moment}."),
    ),
)  # fmt: skip

# Inference: (premises, entailed, neutral, contradicted). Prices and years are drawn in order: low < high, early < late.
DEEDS = (
    ("book a table at {restaurant}", "booked a table at {restaurant}"), ("see {film}", "saw {film}"),
    ("finish the {dish}", "finished the {dish}"), ("review {film}", "reviewed {film}"),
    ("cook the {dish}", "cooked the {dish}"), ("meet {person2} in {town}", "met {person2} in {town}"),
)  # fmt: skip
PLAIN_INFERENCES = (
    (
        ("{person} ordered the {dish} at {restaurant} on {day}.",),
        ("on {day} {person} asked for the {dish}.", "{person} did order on {day}."),
        ("{person} paid in cash.", "{person} did not like the {dish}.", "nobody else ordered the {dish} on {day}."),
        ("{person} did not order on {day}.", "on {day} {person} did not ask for the {dish}."),
    ),
    (
        ("{film}, directed by {person}, was shot in {town} in {early}.",),
        ("{person} directed {film}.", "{film} was shot in {town}.", "{film} was not without a director."),
        ("{film} won a prize in {town}.", "{person} was born in {town}.", "{film} was not a success."),
        ("{person2} alone directed {film}.", "{film} was not shot in {town}.", "nobody ever directed {film}."),
    ),
    (
        ("{restaurant} in {town} has been closed since {early}.",),
        ("{restaurant} was closed in {late}.", "{restaurant} was not open in {late}."),
        ("{restaurant} is for sale.", "{restaurant} will not open again.", "{person} bought {restaurant} in {late}."),
        ("{restaurant} was open in {late}.", "{restaurant} was not closed in {late}."),
    ),
    (
        ("{person} thought that the {dish} at {restaurant} was {good}.",),
        ("{person} liked the {dish}.", "{person} did not think that the {dish} was {bad}."),
        ("{person} liked the {dish2}.", "{person2} did not think that the {dish} was {bad}."),
        ("{person} disliked the {dish}.", "{person} did not like the {dish}."),
    ),
    (
        ("{restaurant} in {town} has been open every day since {early}.",),
        ("{restaurant} was open in {late}.", "{restaurant} was not closed in {late}."),
        (
            "{restaurant} is not for sale.",
            "{restaurant} will not close again.",
            "{person} bought {restaurant} in {late}.",
        ),
        ("{restaurant} was closed in {late}.", "{restaurant} was not open in {late}."),
    ),
    (
        ("on {day} {person} sat at {restaurant} for an hour but did not order anything.",),
        ("{person} did not order on {day}.", "on {day} {person} did not ask for the {dish}."),
        ("{person} was not hungry on {day}.", "nobody else ordered on {day}.", "{person} was waiting for {person2}."),
        ("{person} did order on {day}.", "on {day} {person} asked for the {dish}."),
    ),
    (
        ("{person} thought that the {dish} at {restaurant} was {bad}.",),
        ("{person} disliked the {dish}.", "{person} did not like the {dish}."),
        ("{person} disliked the {dish2}.", "{person2} did not think that the {dish} was {good}."),
        ("{person} liked the {dish}.", "{person} did not think that the {dish} was {bad}."),
    ),
    (
        ("{person} thought that {film} was {good} and told {person2} so.",),
        (
            "{person} liked {film}.",
            "{person} did not dislike {film}.",
            "{person2} heard what {person} thought of {film}.",
        ),
        ("{person2} liked {film}.", "{person2} did not like {film}.", "{person2} agreed with {person}."),
        ("{person} disliked {film}.", "{person} told nobody about {film}.", "{person} did not like {film}."),
    ),
    (
        ("{person} thought that {film} was {bad} and told {person2} so.",),
        (
            "{person} disliked {film}.",
            "{person} did not like {film}.",
            "{person2} heard what {person} thought of {film}.",
        ),
        ("{person2} disliked {film}.", "{person2} did not like {film}.", "{person2} agreed with {person}."),
        ("{person} liked {film}.", "{person} told nobody about {film}.", "{person} did not dislike {film}."),
    ),
)
TRAP_INFERENCES = (
    (
        ("at {restaurant} the {dish} costs {low} and the {dish2} costs {high}.",
         "at {restaurant} the {dish2} costs {high} and the {dish} costs {low}."),
        ("the {dish2} costs more than the {dish}.", "the {dish} is cheaper than the {dish2}."),
        ("the {dish3} costs more than the {dish}.", "the {dish2} is better than the {dish}."),
        ("the {dish} costs more than the {dish2}.", "the {dish2} is cheaper than the {dish}."),
    ),
    (
        ("{film} came out in {early} and {film2} came out in {late}.",
         "{film2} came out in {late}, {film} in {early}."),
        ("{film} is older than {film2}.", "{film2} is not as old as {film}."),
        ("{film} is longer than {film2}.", "{film2} is not as good as {film}.", "{film3} is older than {film2}."),
        ("{film2} is older than {film}.", "{film} is not as old as {film2}."),
    ),
    (
        ("{person} praised {person2} for the {dish}.", "{person2} was praised by {person} for the {dish}."),
        ("{person} praised {person2}.", "{person2} was praised by {person}."),
        ("{person2} praised {person}.", "{person} was praised by {person2}.", "{person2} did not praise {person}."),
        ("{person} did not praise {person2}.", "{person2} was not praised by {person}."),
    ),
    (
        ("{person} managed to {do}.", "{person} did not forget to {do}.", "{person} remembered to {do}."),
        ("{person} {did}.",), ("{person} {did} with {person3}.", "{person3} did not {do}."),
        ("{person} did not {do}.",),
    ),
    (
        ("{person} forgot to {do}.", "{person} failed to {do}.", "{person} did not manage to {do}."),
        ("{person} did not {do}.",), ("{person3} {did}.", "{person3} did not {do}."), ("{person} {did}.",),
    ),
    (
        ("{person} hoped to {do}.", "{person} planned to {do}.", "{person} was asked to {do}."),
        ("it is not certain that {person} {did}.",), ("{person} {did}.", "{person} did not {do}."),
        ("nobody ever thought that {person} might {do}.",),
    ),
    (
        ("every guest at {restaurant} ordered the {dish} on {day}.",
         "on {day} all guests at {restaurant} had the {dish}."),
        ("no guest at {restaurant} went without the {dish} on {day}.", "some guests had the {dish} on {day}."),
        ("every guest at {restaurant} had the {dish2} on {day}.", "no guest had the {dish} twice on {day}."),
        ("no guest had the {dish} on {day}.", "some guests at {restaurant} went without the {dish} on {day}."),
    ),
    (
        ("{person} saw {film} before eating at {restaurant}.", "{person} ate at {restaurant} after seeing {film}."),
        ("{person} was at {restaurant} after {film}.", "when {person} saw {film}, the meal was still to come."),
        ("{person} was at {restaurant} with {person2}.", "{person} did not like {film}."),
        ("{person} was at {restaurant} before {film}.", "when {person} saw {film}, the meal was already over."),
    ),
    (
        ("of all the dishes at {restaurant}, only the {dish} was {good}.",),
        ("the {dish2} at {restaurant} was not {good}.", "the {dish} at {restaurant} was {good}."),
        ("the {dish2} at {restaurant} was cheap.", "the {dish} at {restaurant} was not cheap."),
        ("the {dish2} at {restaurant} was {good}.", "the {dish} at {restaurant} was not {good}."),
    ),
)  # fmt: skip

# Paraphrase: (ways to say one thing, ways to say another with much the same words).
SAYINGS = (
    (
        ("{person} praised {person2} {moment}.", "{person2} was praised by {person} {moment}.",
         "{moment} it was {person} who praised {person2}.", "{moment} {person2} won praise from {person}."),
        ("{person2} praised {person} {moment}.", "{person} was praised by {person2} {moment}.",
         "{moment} it was {person2} who praised {person}.", "{moment} {person} won praise from {person2}."),
    ),
    (
        ("{person} sold {restaurant} to {person2} in {early}.",
         "in {early} {person2} bought {restaurant} from {person}.",
         "{restaurant} was sold to {person2} by {person} in {early}."),
        ("{person2} sold {restaurant} to {person} in {early}.",
         "in {early} {person} bought {restaurant} from {person2}.",
         "{restaurant} was sold to {person} by {person2} in {early}."),
    ),
    (
        ("{person} remembered to {do}.", "{person} did not forget to {do}.", "{person} did not fail to {do}."),
        ("{person} forgot to {do}.", "{person} did not remember to {do}.", "{person} failed to {do}."),
    ),
    (
        ("only {person} ordered the {dish} {moment}.", "{moment} nobody but {person} ordered the {dish}.",
         "the {dish} was ordered by {person} and no one else {moment}."),
        ("{person} ordered only the {dish} {moment}.", "{moment} {person} ordered nothing but the {dish}.",
         "the {dish} was all that {person} ordered {moment}."),
    ),
    (
        ("the {dish} at {restaurant} costs more than the {dish2}.",
         "at {restaurant} the {dish2} is cheaper than the {dish}.",
         "the {dish2} at {restaurant} costs less than the {dish}."),
        ("the {dish2} at {restaurant} costs more than the {dish}.",
         "at {restaurant} the {dish} is cheaper than the {dish2}.",
         "the {dish} at {restaurant} costs less than the {dish2}."),
    ),
    (
        ("{person} found the {dish} {good} but the {dish2} {bad}.",
         "the {dish2} was {bad} but the {dish} was {good}, said {person}.",
         "{person} thought that the {dish}, unlike the {dish2}, was {good}; the {dish2} was {bad}."),
        ("{person} found the {dish2} {good} but the {dish} {bad}.",
         "the {dish} was {bad} but the {dish2} was {good}, said {person}.",
         "{person} thought that the {dish2}, unlike the {dish}, was {good}; the {dish} was {bad}."),
    ),
    (
        ("{person} saw {film} before eating at {restaurant}.", "{person} ate at {restaurant} after seeing {film}.",
         "first {person} saw {film}, and then {person} ate at {restaurant}."),
        ("{person} saw {film} after eating at {restaurant}.", "{person} ate at {restaurant} before seeing {film}.",
         "first {person} ate at {restaurant}, and then {person} saw {film}."),
    ),
    (
        ("{restaurant} lost its guests because the {role} left.",
         "the {role} left, and so {restaurant} lost its guests.",
         "since the {role} left, {restaurant} lost its guests."),
        ("the {role} left because {restaurant} lost its guests.",
         "{restaurant} lost its guests, and so the {role} left.",
         "since {restaurant} lost its guests, the {role} left."),
    ),
    (
        ("{film} is older than {film2}.", "{film2} is newer than {film}.", "{film} came out before {film2}."),
        ("{film2} is older than {film}.", "{film} is newer than {film2}.", "{film2} came out before {film}."),
    ),
    (
        ("{person} was born in {town} and lives in {town2}.", "{person} lives in {town2} but was born in {town}.",
         "born in {town}, {person} has made {town2} home."),
        ("{person} was born in {town2} and lives in {town}.", "{person} lives in {town} but was born in {town2}.",
         "born in {town2}, {person} has made {town} home."),
    ),
)  # fmt: skip
