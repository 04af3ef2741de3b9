export interface StarterOperation {
  /** Shown as a comment in the explorers */
  description: string
  document: string
}

/** The queries and mutations that the explorers open with. Each runs unchanged on the demo data, without variables. */
export const starterOperations: readonly StarterOperation[] = [
  {
    description: `An order with its user and products.
The first run takes three SQL statements.
The next takes two MGETs, or none if the
near store has the entries.`,
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
    description: `A page of the products of a category,
newest first. For the next page, pass endCursor
as $after.`,
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
    description: 'The latest orders of a user.',
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
    description: `Orders two products.
If sent again with the same idempotencyKey, the
mutation returns the same order and does not
reduce the stock again.`,
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
    description: `Changes the stock of a product, and
invalidates it in the cache. The product is in
the order of the first query: run that again to
see the new stock.`,
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
    description: 'Totals of the shop, and hit rates of the cache.',
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

/** A subscription for explorers that can run one */
export const starterSubscription: StarterOperation = {
  description: `Shows every change of a product, once it is
committed. Run it, then run ChangeStock with
another stock in a second window.`,
  document: `subscription ProductChanged($ids: [ID!]! = ["product_497"]) {
  productChanged(ids: $ids) {
    id
    product {
      name
      price
      stock
    }
  }
}`,
}

/** Returns the document with its description as a comment on top. */
export function withComment({ description, document }: StarterOperation): string {
  return `${description.replaceAll(/^/gm, '# ')}\n${document}\n`
}
