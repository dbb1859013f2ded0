// A drawing instead of a photo: a symbol and a colour for the category, or the category's initial letter.

// Words in the title or the category, a symbol of icon.svg, a hue. The first match counts, the title before the category.
const PICTURES = [
  [/\bpets?\b|\b(dog|cat) (food|litter|treat)|\b(puppy|kitten)/, "paw", 60], [/\b(baby|infant|diapers?)/, "baby", 330], [/\b(cards?|magazine|book|stationery)/, "card", 300],
  [/\b(floral|flower|plant|rose|bouquet)/, "flower", 350], [/\b(fish|seafood|salmon|tuna|shrimp)/, "fish", 220],
  [/\b(frozen|ice)\b/, "frozen", 240], [/\bcheese/, "cheese", 90], [/\beggs?\b/, "egg", 75],
  [/\b(milk|dairy|yogurt|butter|margarine|cream)/, "milk", 230], [/\b(bread|bak|pastry|bun|roll|bagel|tortilla|dough)/, "bread", 65],
  [/\b(candy|cand|cookie|chocolate|snack|snk|cracker|chip|popcorn|cake|pie|dessert|sweet)/, "sweet", 40],
  [/\b(coffee|tea|cocoa|espresso)\b/, "cup", 50], [/\b(wine|beer|ale|liquor|spirits|cocktail)/, "glass", 15],
  [/\b(drink|juice|water|soda|beverage)/, "bottle", 200],
  [/\b(meat|beef|pork|chicken|turkey|sausage|bacon|ham|deli|lunchmeat|hot dog|frank)/, "meat", 20],
  [/\b(fruit|apple|banana|berr|grape|citrus|orange|melon|peach|tropical)/, "fruit", 130],
  [/\b(produce|vegetable|salad|tomato|potato|onion|carrot|lettuce|mushroom|pepper|organic)/, "leaf", 145],
  [/\b(cereal|pasta|rice|soup|noodle|dinner|entree|meal|oat)/, "bowl", 70],
  [/\b(sauce|dressing|spread|jam|jelly|bean|canned|condiment|spice|oil|syrup|sugar|flour)/, "jar", 30],
  [/\b(hair|soap|shampoo|cosmetic|makeup|skin|oral|dental|vitamin|medic|remed|health|care|analgesic)/, "drop", 280],
  [/\b(clean|laundry|detergent|paper|towel|tissue|bags?|wraps?|household)/, "spray", 190],
];

export const levelsOf = (fields) => (fields.product_type ?? "").split(" > ").filter(Boolean);

export function picture(fields) {
  const levels = levelsOf(fields);
  const texts = [fields.title ?? "", ...levels.toReversed()].map((text) => text.toLowerCase());
  const [, name, hue] = texts.map((text) => PICTURES.find(([words]) => words.test(text))).find(Boolean) ?? [];
  const seed = seedOf(levels.slice(0, 2).join() || (fields.title ?? ""));
  const drawn = document.createElement("span");
  drawn.className = "picture";
  drawn.setAttribute("aria-hidden", "true");
  drawn.style.setProperty("--hue", name ? hue + (seed % 20) - 10 : seed);
  drawn.append(name ? symbol(name) : (levels.at(-1) ?? fields.title ?? "?").slice(0, 1).toUpperCase());
  return drawn;
}

const seedOf = (text) => [...text].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 360, 7);

function symbol(name) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `icon.svg#${name}`);
  made.append(use);
  return made;
}
