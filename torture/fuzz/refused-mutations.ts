import type { Random } from '../random.js'
import { nastyString } from './values.js'

/** A mutation, with its variables as JSON, that must not change the database, whoever sends it */
export function refusedMutation(random: Random): { query: string; variables: string } {
  const errors = 'userErrors { code message field }'
  const text = nastyString(random)
  switch (random.between(0, 6)) {
    case 0:
      return {
        query: `mutation($id: ID!, $stock: Int!) { updateProductStock(productId: $id, stock: $stock) { product { id } ${errors} } }`,
        variables: `{"id":"product_1","stock":${random.pick(['-1', '-2147483648', '2147483648', '1.5', '"7"', 'null', '[]', '1e99'])}}`,
      }
    case 1:
      return {
        query: `mutation($input: CreateOrderInput!, $key: String) { createOrder(input: $input, idempotencyKey: $key) { order { id } ${errors} } }`,
        variables: `{"input":{"userId":"user_999999999","productIds":["product_1",${text}]},"key":${text}}`,
      }
    case 2:
      return {
        query: `mutation($email: String!) { createUser(input: { email: $email, name: "Anybody" }) { user { id } ${errors} } }`,
        variables: `{"email":${random.pick(['""', '"nobody"', '"a@"', '"a b@c.example"', '"\\u0000@b.example"', '7', 'null', `"${'a'.repeat(400)}@b.example"`])}}`,
      }
    case 3:
      return {
        query: `mutation($inputs: [CreateProductInput!]!) { createProducts(inputs: $inputs) { products { id } ${errors} } }`,
        variables: `{"inputs":[{"name":"Good","price":1,"stock":1,"category":"Books"},{"name":${text},"price":${random.pick(['-1', '0.001', '1e99', '1000001', '"1"'])},"stock":1,"category":"Books"}]}`,
      }
    case 4:
      return { query: `mutation { deleteUser(id: "user_999999999") { deletedUserId ${errors} } }`, variables: text }
    case 5:
      return {
        query: `mutation { deleteCategory(category: "Books") { deletedCount } nothing }`,
        variables: '{}',
      }
    default:
      return {
        query: 'mutation($namespace: CacheNamespace!) { flushCache(namespace: $namespace) { namespace } }',
        variables: `{"namespace":${text}}`,
      }
  }
}

/** A valid mutation, to be sent by methods that must not execute mutations */
export const validMutation = 'mutation { deleteCategory(category: "Books") { deletedCount } }'
