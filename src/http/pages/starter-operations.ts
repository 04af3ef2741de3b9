export interface StarterOperation {
  /** What it shows; the explorers have it as a comment. */
  about: string
  document: string
}

/** What the explorers open with. Each runs as it is on the demo data, also without variables. */
export const starterOperations: readonly StarterOperation[] = [
  {
    about: `An order with its buyer and its products.
Cold, that is three SQL statements; run it again and it is two MGETs and no SQL, or nothing at all.`,
    document: `query Order($orderId: ID! = "order_1") {
  order(id: $orderId) {
    id
    total
    createdAt
    user {
      id
      name
    }
    products {
      id
      name
      price
      stock
    }
  }
}`,
  },
  {
    about: `A page of a category, newest first.
For the next one, pass endCursor as $after.`,
    document: `query Products($category: String = "Books", $after: String) {
  products(category: $category, first: 5, after: $after) {
    nodes {
      id
      name
      price
      stock
    }
    pageInfo {
      hasNextPage
      endCursor
    }
    totalCount
  }
}`,
  },
  {
    about: 'What a user bought last.',
    document: `query UserOrders($userId: ID! = "user_1") {
  user(id: $userId) {
    name
    orders(first: 5) {
      nodes {
        id
        total
        products {
          name
        }
      }
      totalCount
    }
  }
}`,
  },
  {
    about: `An order of two products.
Sent again with the same key, it gives the same order and takes nothing more out of stock.`,
    document: `mutation CreateOrder(
  $order: CreateOrderInput! = { userId: "user_1", productIds: ["product_1", "product_2"] }
  $idempotencyKey: String = "starter"
) {
  createOrder(input: $order, idempotencyKey: $idempotencyKey) {
    order {
      id
      total
      products {
        name
        stock
      }
    }
    replayed
    userErrors {
      code
      message
      field
    }
  }
}`,
  },
  {
    about: `A change that every cached order and list sees at once.
The product is one of Order's: run that again, and its stock is the new one.`,
    document: `mutation ChangeStock($productId: ID! = "product_497", $stock: Int! = 42) {
  updateProductStock(productId: $productId, stock: $stock) {
    product {
      id
      name
      stock
    }
    userErrors {
      code
      message
    }
  }
}`,
  },
  {
    about: 'Totals of the shop, and how often the cache had the answer.',
    document: `query Stats {
  stats {
    totalUsers
    totalProducts
    totalOrders
    revenue
    cacheHitRate
    caches {
      namespace
      hits
      misses
      hitRate
    }
  }
  cacheInfo {
    backend
    available
    keys
  }
}`,
  },
]

/** The operation below what it shows, as a comment. */
export function commented({ about, document }: StarterOperation): string {
  return `${about.replaceAll(/^/gm, '# ')}\n${document}\n`
}
