// What the people of `--demo` say: plain data. `{owner}` becomes a mention of the owner.

/** The past of #general and #random, there before anybody connects: [person, text]. */
export const PAST = {
  general: [
    ["ana", "Good morning everyone :sunny:"],
    ["bjorn", "Morning! The release branch is cut, see <https://example.org/releases/42|release 42>."],
    ["chidi", "Nice. I will run the *full* suite and post numbers."],
    ["dana", "Reminder: `main` is frozen until noon, please hold merges."],
    ["emi", "了解です。I'll prepare the notes in the meantime."],
    ["chidi", "Numbers:\n• unit: 1,204 passed\n• browser: 88 passed\n• flaky: _one_, as always"],
    ["ana", "Which one?"],
    ["chidi", "```\nfailed: sync_wakes_every_device\n  expected 2, got 1\n```"],
    ["bjorn", "That was a real bug. Fixed in ~yesterday's~ today's commit."],
    ["deploybot", "Deployed `web` to staging in 41 s."],
  ],
  random: [
    ["emi", "Found a café with a cat. The cat is in charge."],
    ["dana", "&lt;bows to the cat&gt;"],
    ["bjorn", "Fish &amp; chips on Friday, who is in?"],
    ["ana", ":raising_hand: me"],
  ],
};

/** Said in turn, in a seeded order: [channel, person, text]. */
export const LINES = [
  ["general", "ana", "{owner} do you have five minutes to look at the launch plan?"],
  ["general", "bjorn", "Build is *green* again :white_check_mark:"],
  ["general", "chidi", "I wrote down what we decided:\n1. ship on Tuesday\n2. announce on Wednesday\n3. sleep on Thursday"],
  ["general", "dana", "Can somebody review <https://example.org/pulls/1187|pull request 1187>? It is small, _promised_."],
  ["general", "emi", "The new icons are in <#C0RANDOM|random>, tell me which one you like."],
  ["general", "ana", "&gt; ship on Tuesday\nTuesday it is."],
  ["general", "chidi", "Try this:\n```\ncurl -sS https://example.org/health | jq .status\n```\nIt should print `\"ok\"`."],
  ["general", "bjorn", "Who broke the coffee machine :coffee: :fire:"],
  ["general", "dana", "Not me. ~Maybe me.~ Definitely me."],
  ["general", "deploybot", "Deployed `api` to production in 63 s."],
  ["general", "emi", "{owner}: the customer from Kyoto wrote back, they are happy :tada:"],
  ["general", "ana", "<!here> stand-up in five minutes"],
  ["random", "emi", "Cat update: it now sits on *my* chair."],
  ["random", "bjorn", "Photo or it did not happen."],
  ["random", "dana", "My neighbour plays the accordion. At night. With _feeling_."],
  ["random", "chidi", "Today I learned that 1 &lt; 2 &amp; 2 &gt; 1, even in HTML."],
  ["random", "ana", "Anyone else reading <https://example.org/books/17|this book>? No spoilers please"],
  ["random", "emi", "おはようございます :sunrise: time zones are hard"],
  ["random", "chidi", "Lunch list:\n• soup\n• noodles\n    ◦ with egg\n    ◦ without\n• the _usual_"],
  ["random", "bjorn", "{owner} you still owe me a rematch at table tennis :table_tennis_paddle_and_ball:"],
];

/** Direct messages to the owner, now and then: [person, text]. */
export const WHISPERS = [
  ["ana", "Psst, between us: did you see the numbers? :eyes:"],
  ["ana", "Can you call me when you are back?"],
  ["ana", "I moved our meeting to *15:30*, hope that is fine."],
];

/** Answers to what the owner writes. `{text}` is the beginning of it. */
export const ANSWERS = [
  "{owner} good point :thinking_face:",
  "Thanks {owner}!",
  "I agree with {owner}: “{text}”",
  "&gt; {text}\nThat is what I thought, too.",
  "*Yes.* Let us do that.",
  "Hm, not sure. What do the others say?",
];

export const REACTIONS = ["+1", "tada", "eyes", "heart", "joy", "white_check_mark"];
