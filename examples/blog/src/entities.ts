import { defineTableEntity } from 'cached-resolvers/postgres'

const minutes = 60_000
const fresh = { softMs: 10 * minutes, graceMs: 10 * minutes, negativeMs: 1 * minutes }

export type Author = { id: string; name: string }
export type Post = { id: string; authorId: string; title: string }
export type Comment = { id: string; postId: string; authorId: string; text: string }

export const authors = defineTableEntity({
  table: 'authors',
  kind: 'author',
  fresh,
  toValue: ({ name }: { name: string }, id): Author => ({ id, name }),
})

export const posts = defineTableEntity({
  table: 'posts',
  kind: 'post',
  fresh,
  toValue: (row: { author_id: number; title: string }, id): Post => ({
    id,
    authorId: `author_${row.author_id}`,
    title: row.title,
  }),
  lists: {
    newestPosts: { name: 'newest-posts' },
    postsByAuthor: { name: 'author-posts', key: 'author_id', keyKind: 'author' },
  },
})

export const comments = defineTableEntity({
  table: 'comments',
  kind: 'comment',
  fresh,
  toValue: (row: { post_id: number; author_id: number; text: string }, id): Comment => ({
    id,
    postId: `post_${row.post_id}`,
    authorId: `author_${row.author_id}`,
    text: row.text,
  }),
  lists: { commentsByPost: { name: 'post-comments', key: 'post_id', keyKind: 'post' } },
})

export const entities = { authors, posts, comments }
