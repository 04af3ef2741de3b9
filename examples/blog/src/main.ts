import { createServer } from 'node:http'
import { createSchema, createYoga } from 'graphql-yoga'
import { Registry } from 'prom-client'
import { type Blog, open } from './blog.js'
import type { Comment, Post } from './entities.js'

type Context = { loaders: ReturnType<Blog['createLoaders']> }
type PageArguments = { first: number }

const typeDefs = /* GraphQL */ `
  type Author { id: ID! name: String! posts(first: Int! = 10): [Post!]! }
  type Post { id: ID! title: String! author: Author! comments(first: Int! = 10): [Comment!]! commentCount: Int! }
  type Comment { id: ID! text: String! author: Author! }
  type Query { author(id: ID!): Author post(id: ID!): Post posts(first: Int! = 10): [Post!]! }
  type Mutation { addComment(postId: ID!, authorId: ID!, text: String!): ID! }
`

const blog = await open()
const first = (list: string | null, size: number) => ({
  list,
  after: null,
  before: null,
  size: Math.min(size, 100),
  from: 'start' as const,
})
const number = (id: string) => id.slice(id.lastIndexOf('_') + 1)

const resolvers = {
  Query: {
    author: (_: unknown, { id }: { id: string }, { loaders }: Context) => loaders.authors.load(id),
    post: (_: unknown, { id }: { id: string }, { loaders }: Context) => loaders.posts.load(id),
    async posts(_: unknown, args: PageArguments, { loaders }: Context) {
      const { ids } = await loaders.newestPosts.loadPage(first(null, args.first))
      return ids.map((id) => loaders.posts.load(id))
    },
  },
  Author: {
    async posts(author: { id: string }, args: PageArguments, { loaders }: Context) {
      const { ids } = await loaders.postsByAuthor.loadPage(first(author.id, args.first))
      return ids.map((id) => loaders.posts.load(id))
    },
  },
  Post: {
    author: (post: Post, _: unknown, { loaders }: Context) => loaders.authors.load(post.authorId),
    async comments(post: Post, args: PageArguments, { loaders }: Context) {
      const { ids } = await loaders.commentsByPost.loadPage(first(post.id, args.first))
      return ids.map((id) => loaders.comments.load(id))
    },
    commentCount: (post: Post, _: unknown, { loaders }: Context) => loaders.commentsByPost.loadCount(post.id),
  },
  Comment: { author: (comment: Comment, _: unknown, { loaders }: Context) => loaders.authors.load(comment.authorId) },
  Mutation: {
    // When this resolves, no process serves the old list any more.
    addComment: (_: unknown, { postId, authorId, text }: { postId: string; authorId: string; text: string }) =>
      blog.write(async (sql) => {
        const [row] = await sql`
          insert into comments (post_id, author_id, text) values (${number(postId)}, ${number(authorId)}, ${text}) returning id`
        return `comment_${row?.id}`
      }),
  },
}

const registry = new Registry()
blog.registerMetrics(registry)
const yoga = createYoga({ schema: createSchema({ typeDefs, resolvers }), context: () => ({ loaders: blog.createLoaders() }) })
const server = createServer(async (request, response) => {
  if (request.url !== '/metrics') return void yoga(request, response)
  response.setHeader('content-type', registry.contentType)
  response.end(await registry.metrics())
})
server.listen(Number(process.env.PORT ?? 4100), '127.0.0.1', () => {
  const address = server.address()
  console.log(`http://127.0.0.1:${typeof address === 'object' ? address?.port : address}/graphql`)
})
process.once('SIGTERM', () => server.close(() => void blog.stop()))
