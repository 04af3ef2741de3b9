/** Names and prices of demo products. A product name is one of `kinds` followed by one of `things`. */
interface DemoCategory {
  name: string
  kinds: readonly string[]
  things: readonly string[]
  priceCents: { from: number; to: number }
}

export const demoCategories: readonly DemoCategory[] = [
  {
    name: 'Home',
    kinds: words('Walnut, Oak, Linen, Brass, Ceramic, Marble, Rattan, Velvet'),
    things: words('Desk Lamp, Bookshelf, Armchair, Wall Clock, Side Table, Picture Frame, Throw Blanket, Vase'),
    priceCents: { from: 1_499, to: 42_000 },
  },
  {
    name: 'Electronics',
    kinds: words('Wireless, Compact, Solar, Portable, Smart, Mini, Waterproof, Foldable'),
    things: words('Headphones, Speaker, Keyboard, Charger, Projector, Webcam, Tablet, Alarm Clock'),
    priceCents: { from: 1_999, to: 90_000 },
  },
  {
    name: 'Books',
    kinds: words(
      'A Short History of, The Story of, The Quiet Art of, Notes on, A Field Guide to, Letters on, The Little Book of, Beyond',
    ),
    things: words('Bread, Bridges, Gardens, Lighthouses, Maps, Mountains, Numbers, Rivers'),
    priceCents: { from: 799, to: 6_400 },
  },
  {
    name: 'Kitchen',
    kinds: words('Cast Iron, Copper, Bamboo, Stoneware, Glass, Enamel, Carbon Steel, Olive Wood'),
    things: words('Skillet, Teapot, Mixing Bowl, Cutting Board, Saucepan, Pepper Mill, Storage Jar, Baking Dish'),
    priceCents: { from: 899, to: 19_500 },
  },
  {
    name: 'Clothing',
    kinds: words('Merino, Cotton, Denim, Flannel, Corduroy, Cashmere, Linen, Striped'),
    things: words('Sweater, Shirt, Jacket, Scarf, Trousers, Cardigan, Beanie, Socks'),
    priceCents: { from: 699, to: 28_000 },
  },
  {
    name: 'Sports',
    kinds: words('Lightweight, Trail, Carbon, Reflective, Adjustable, Alpine, Classic, Training'),
    things: words('Running Vest, Backpack, Kettlebell, Yoga Mat, Water Bottle, Bike Helmet, Kayak Paddle, Climbing Rope'),
    priceCents: { from: 1_200, to: 34_000 },
  },
  {
    name: 'Toys',
    kinds: words('Wooden, Magnetic, Plush, Wind-Up, Painted, Giant, Pocket, Singing'),
    things: words('Train Set, Building Blocks, Bear, Puzzle, Kite, Spinning Top, Dollhouse, Marble Run'),
    priceCents: { from: 499, to: 12_900 },
  },
  {
    name: 'Garden',
    kinds: words('Galvanised, Terracotta, Cedar, Hardwood, Folding, Hand-Forged, Weatherproof, Hanging'),
    things: words('Watering Can, Planter, Bench, Trowel, Bird Feeder, Lantern, Wheelbarrow, Trellis'),
    priceCents: { from: 950, to: 38_000 },
  },
  {
    name: 'Beauty',
    kinds: words('Lavender, Rosewater, Charcoal, Citrus, Sandalwood, Aloe, Honey, Mint'),
    things: words('Hand Cream, Soap, Shampoo, Bath Salts, Lip Balm, Face Oil, Body Scrub, Candle'),
    priceCents: { from: 349, to: 7_800 },
  },
  {
    name: 'Office',
    kinds: words('Recycled, Leather, Slate, Brass, Birch, Matte, Compact, Classic'),
    things: words('Notebook, Pen Case, Fountain Pen, Organiser, Stapler, Whiteboard, Tape Dispenser, Letter Tray'),
    priceCents: { from: 329, to: 15_500 },
  },
]

export const demoFirstNames = words(
  'Ada, Aisha, Alice, Amara, Bruno, Carlos, Chen, Clara, Daniel, Diego, Elif, Emma, Farah, Felix, Grace, Hana, Hugo, Ines, Ivan, ' +
    'Jonas, Kenji, Lars, Leila, Linh, Lucia, Malik, Maria, Mateo, Mira, Nadia, Noah, Olga, Omar, Priya, Rosa, Samuel, Sofia, Tara, Viktor, Zoe',
)

export const demoLastNames = words(
  'Abbott, Andersen, Bauer, Becker, Bianchi, Castro, Cohen, Costa, Dubois, Eriksen, Fischer, Fontaine, Garcia, Haddad, Hansen, Hughes, ' +
    'Ito, Jansen, Kaya, Keller, Kim, Kowalski, Larsen, Lopez, Martin, Mendes, Moreau, Nakamura, Novak, Okafor, Patel, Petrov, Rossi, ' +
    'Santos, Schmidt, Silva, Singh, Tanaka, Walker, Weber',
)

function words(list: string): readonly string[] {
  return list.split(', ')
}
