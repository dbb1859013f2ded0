// A drawing instead of a photo: a symbol and a colour for the category, or the category's initial letter.

// Whole words and their plurals, a symbol of icon.svg, a hue. The first match counts: the category from its last level on, then the title.
const PICTURES = [
  ["pet|(?:dog|cat) (?:food|litter|treat)|puppy|kitten", "paw", 60], ["baby|babies|infant|diaper", "baby", 330], ["card|magazine|book|bookstore|stationery", "card", 300],
  ["floral|flower|plant|planter|rose|bouquet", "flower", 350], ["fish|seafood|salmon|tuna|shrimp", "fish", 220],
  ["frozen|ice", "frozen", 240], ["cheese", "cheese", 90], ["egg", "egg", 75],
  ["\\w*milk|dairy|yogurt|yoghurt|butter|margarine|cream|creamer", "milk", 230],
  ["\\w*bread|baked|bakery|bakeries|baking|pastry|pastries|bun|roll|bagel|tortilla|dough|doughnut", "bread", 65],
  ["candy|candies|cand|cookie|chocolate|snack|snk|cracker|chip|popcorn|\\w*cake|pie|dessert|sweet goods|sweets", "sweet", 40],
  ["coffee|tea|cocoa|espresso", "cup", 50], ["wine|beer|ale|liquor|spirits|cocktail", "glass", 15],
  ["drink|juice|water|soda|beverage", "bottle", 200],
  ["meat|beef|pork|chicken|turkey|sausage|bacon|ham|deli|lunchmeat|hot dog|hotdog|frank|frankfurter", "meat", 20],
  ["fruit|\\w*apple|banana|\\w*berry|\\w*berries|grape|grapefruit|citrus|orange|\\w*melon|peach|tropical", "fruit", 130],
  ["produce|vegetable|salad|tomato|potato|yam|onion|carrot|lettuce|mushroom|pepper|cucumber|organic", "leaf", 145],
  ["cereal|pasta|rice|soup|noodle|dinner|entree|meal|oatmeal|oat", "bowl", 70],
  ["sauce|dressing|spread|jam|jelly|jellies|bean|canned|condiment|spice|oil|syrup|sugar|flour", "jar", 30],
  ["hair|soap|shampoo|cosmetic|makeup|skin|oral|dental|vitamin|medicine|medical|medicate|medicated|medication|remedy|remedies|health|care|analgesic", "drop", 280],
  ["clean|cleaner|cleaning|laundry|detergent|paper|towel|tissue|bag|wrap|household", "spray", 190],
].map(([words, name, hue]) => [new RegExp(`\\b(?:${words})(?:s|es)?\\b`), name, hue]);

export const levelsOf = (fields) => (fields.product_type ?? "").split(" > ").filter(Boolean);

export function picture(fields) {
  const levels = levelsOf(fields);
  const texts = [...levels.toReversed(), fields.title ?? ""].map((text) => text.toLowerCase());
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
